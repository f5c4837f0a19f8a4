#define GRULEARN_ISA baseline
#define GRULEARN_VECTOR_BYTES 16
#include "table.inl"
