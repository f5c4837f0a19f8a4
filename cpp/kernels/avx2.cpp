#define GRULEARN_ISA avx2
#define GRULEARN_VECTOR_BYTES 32
#include "table.inl"
