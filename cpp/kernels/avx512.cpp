#define GRULEARN_ISA avx512
#define GRULEARN_VECTOR_BYTES 64
#include "table.inl"
