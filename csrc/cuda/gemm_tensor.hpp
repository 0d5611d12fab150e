// The product of matrices on tensor cores: gemm.hpp's counterpart, in the same words.
//
// A block makes M x N sums and walks along the terms in steps of 128 bytes.  While one step is multiplied the next ones
// are on their way into a ring of stages in shared memory.  A step of a 128 x 128 tile takes 32 KiB from L2 for 2^20
// float operations, 32 of them per byte: L2 is the bound where tensor cores are faster than that.
//
// Which row of a tile is which row of a fragment is free.  Rows 2 g and 2 g + 1 of every 16 are rows g and g + 8 of a
// fragment here, and columns likewise.  A lane then finds two neighbours at a time in tiles that lie across the terms,
// and four of its sums are neighbours in memory.
#pragma once

#include "async_copy.hpp"
#include "gemm.hpp"
#include "tensor_core.hpp"

namespace convolith::CONVOLITH_DEVICE {

// What a tensor core makes of T.
template <class T>
struct Number;
template <>
struct Number<float> {
  __device__ static void round(unsigned (&words)[4]) {
#pragma unroll
    for (unsigned& word : words) word = to_tf32(word);
  }
  __device__ static void multiply(FragmentC& c, const FragmentA& a, const FragmentB& b) { mma_tf32(c, a, b); }
};
template <>
struct Number<float16> {
  __device__ static void round(unsigned (&)[4]) {}
  __device__ static void multiply(FragmentC& c, const FragmentA& a, const FragmentB& b) { mma_fp16(c, a, b); }
};
template <>
struct Number<bfloat16> {
  __device__ static void round(unsigned (&)[4]) {}
  __device__ static void multiply(FragmentC& c, const FragmentA& a, const FragmentB& b) { mma_bf16(c, a, b); }
};

// Memory is moved in pieces of 16 bytes, and counted in them.
template <class T>
using Piece = Vector<T, 16 / sizeof(T)>;
template <class T>
constexpr int per_piece = 16 / sizeof(T);           // elements
constexpr int per_step = 8, slices = per_step / 2;  // pieces; a fragment reaches over two

// The tile of an operand: `extent` rows of A or columns of B by one step.  It consists of lines of pieces, which are
// permuted within their line so that neither copies nor fragments meet a bank twice: offset() says where a piece goes.
// A reader finds fragment i of a warp in slice k: 16 rows, in the order of an A or of two B.
enum class Operand { A, B };

// Lines along the terms: one row each.
template <class T, int extent>
struct Along {
  static constexpr int lines = extent, pieces = per_step, period = 16;  // of lines that are permuted alike

  __device__ static int offset(int line, int piece) { return line * pieces + (piece ^ line / 2 % 8); }

  template <Operand operand>
  struct Reader {
    int first;
    __device__ explicit Reader(int first_row) {
      const int lane = static_cast<int>(threadIdx.x) % 32, low = lane / 8 % 2, high = lane / 16;
      const bool a = operand == Operand::A;
      first = offset(first_row + lane % 8 * 2 + (a ? low : high), a ? high : low);
    }
    __device__ void read(unsigned (&words)[4], const Piece<T>* tile, int i, int k) const {
      ldmatrix_x4(words, tile + i * 16 * pieces + (first ^ k * 2));
    }
  };
};

// Lines across the terms: one term of every row.
template <class T, int extent>
struct Across {
  static constexpr int lines = per_step * per_piece<T>, pieces = extent / per_piece<T>;
  static constexpr int per_word = 4 / sizeof(T), period = 4 * per_word;  // terms in a word of a fragment

  __device__ static int offset(int line, int piece) { return line * pieces + (piece ^ line / per_word % 4 * 2); }

  // Rows 2 g and 2 g + 1 of one word of terms.
  struct alignas(8) Two {
    unsigned x, y;
  };
  __device__ static Two two(const unsigned* row) {
    if constexpr (per_word == 1) return *reinterpret_cast<const Two*>(row);
    const unsigned even = row[0], odd = row[pieces * 4];  // of two terms, which lie in one line each
    return {(even & 0xffffu) | odd << 16, even >> 16 | (odd & 0xffff0000u)};
  }

  template <Operand operand>
  struct Reader {
    static constexpr int pairs = per_piece<T> / 2;  // of rows, in a piece
    int first, word;
    __device__ explicit Reader(int first_row) {
      const int g = static_cast<int>(threadIdx.x) % 32 / 4, t = static_cast<int>(threadIdx.x) % 4;
      first = offset(t * per_word, first_row / per_piece<T> + g / pairs), word = g % pairs * (2 / per_word);
    }
    __device__ void read(unsigned (&words)[4], const Piece<T>* tile, int i, int k) const {
      constexpr int fragment = 8 / pairs, turn = 8 / fragment;  // pieces of 16 rows; fragments in 8 of them
      const Piece<T>* at = tile + k * 8 * per_word * pieces + i / turn * 8 + (first ^ i % turn * fragment);
      const unsigned* here = reinterpret_cast<const unsigned*>(at) + word;
      const Two low = two(here), high = two(here + 4 * per_word * pieces * 4);
      const bool a = operand == Operand::A;
      words[0] = low.x, words[1] = a ? low.y : high.x, words[2] = a ? high.x : low.y, words[3] = high.y;
    }
  };
};

// Which pieces of a tile a thread copies: the same of every line that it meets.
template <class Tile_, int threads>
struct Pieces {
  using Tile = Tile_;
  static constexpr int stride = threads / Tile::pieces, count = Tile::lines / stride;
  static_assert(stride * Tile::pieces == threads && count * stride == Tile::lines && stride % Tile::period == 0);

  __device__ static int piece() { return static_cast<int>(threadIdx.x) % Tile::pieces; }
  __device__ static int line() { return static_cast<int>(threadIdx.x) / Tile::pieces; }  // and every `stride` from it

  template <class T>
  __device__ static void copy(Piece<T>* tile, int i, bool exists, const Piece<T>* from) {
    copy_async<sizeof(Piece<T>)>(tile + Tile::offset(line(), piece()) + i * stride * Tile::pieces, from, exists);
  }
};

// Blocks make M x N, their warps warp_M x warp_N; `blocks` of them share a multiprocessor.
template <int M_, int N_, int warp_M_, int warp_N_, int stages_, int blocks_>
struct Tiling {
  static constexpr int M = M_, N = N_, warp_M = warp_M_, warp_N = warp_N_, stages = stages_, blocks = blocks_;
  static constexpr int warps_across = N / warp_N, threads = M / warp_M * warps_across * 32;
  static constexpr int shared_bytes = stages * (M + N) * per_step * 16;

  __device__ static int lane() { return static_cast<int>(threadIdx.x) % 32; }
  __device__ static int first_row() { return static_cast<int>(threadIdx.x) / 32 / warps_across * warp_M; }
  __device__ static int first_column() { return static_cast<int>(threadIdx.x) / 32 % warps_across * warp_N; }
};

// A lane's sums, as rows x fours: sum (i, j) is in row(i) of the block's tile, and in four columns from column(j).
template <class Tiling>
class Sums {
 public:
  static constexpr int rows = Tiling::warp_M / 8, fours = Tiling::warp_N / 16;

  __device__ static int row(int i) { return Tiling::first_row() + i / 2 * 16 + Tiling::lane() / 4 * 2 + i % 2; }
  __device__ static int column(int j) { return Tiling::first_column() + j * 16 + Tiling::lane() % 4 * 4; }
  __device__ Vector<float, 4> operator()(int i, int j) const {
    const FragmentC(&c)[2] = c_[i / 2][j];
    const int low = i % 2 * 2;
    return {{c[0].r[low], c[1].r[low], c[0].r[low + 1], c[1].r[low + 1]}};
  }

  // Adds the products of one step.
  template <class T, class ReaderA, class ReaderB>
  __device__ void add(const ReaderA& read_a, const Piece<T>* a_tile, const ReaderB& read_b, const Piece<T>* b_tile) {
#pragma unroll
    for (int k = 0; k < slices; ++k) {
      FragmentA a[rows / 2];
#pragma unroll
      for (int i = 0; i < rows / 2; ++i) {
        read_a.read(a[i].r, a_tile, i, k);
        Number<T>::round(a[i].r);
      }
#pragma unroll
      for (int j = 0; j < fours; ++j) {
        unsigned b[4];
        read_b.read(b, b_tile, j, k);
        Number<T>::round(b);
#pragma unroll
        for (int i = 0; i < rows / 2; ++i) {
          Number<T>::multiply(c_[i][j][0], a[i], {{b[0], b[1]}});
          Number<T>::multiply(c_[i][j][1], a[i], {{b[2], b[3]}});
        }
      }
    }
  }

 private:
  FragmentC c_[rows / 2][fours][2] = {};
};

// The products of `steps` steps of a (rows) and b (columns), whose copy_next(tile) begins to copy the next step.
template <class Tiling, class T, class A, class B>
__device__ Sums<Tiling> multiply_steps(A& a, B& b, int steps) {
  DYNAMIC_SHARED(shared, Piece<T>);
  constexpr int stages = Tiling::stages, b_tile = Tiling::M * per_step, stage = b_tile + Tiling::N * per_step;
  const typename A::Tile::template Reader<Operand::A> read_a(Tiling::first_row());
  const typename B::Tile::template Reader<Operand::B> read_b(Tiling::first_column());
  Sums<Tiling> sums;
  int coming = 0, here = 0;
  const auto copy_next = [&](bool exists) {
    if (exists) {
      a.copy_next(shared + coming);
      b.copy_next(shared + coming + b_tile);
      coming = coming + stage == stages * stage ? 0 : coming + stage;
    }
    commit_copies();  // an empty group, too: waiting counts them
  };
  for (int i = 0; i < stages - 1; ++i) copy_next(i < steps);
  for (int i = 0; i < steps; ++i) {
    wait_copies<stages - 2>();
    __syncthreads();  // all threads' copies are there, and the stage before is used up
    copy_next(i + stages - 1 < steps);
    sums.template add<T>(read_a, shared + here, read_b, shared + here + b_tile);
    here = here + stage == stages * stage ? 0 : here + stage;
  }
  return sums;
}

// Writes the sums of a block, as write_tile does.
template <class Tiling, class T, class Offset>
__device__ void write_sums(const Sums<Tiling>& sums, const Output<T>& out, int channel, int channels, Offset offset) {
#pragma unroll
  for (int i = 0; i < sums.rows; ++i) {
    const std::int64_t row = offset(sums.row(i));
    if (row < 0) continue;
#pragma unroll
    for (int j = 0; j < sums.fours; ++j) {
      const int column = sums.column(j);
      if (column < channels) out.template write<4>(row + column, channel + column, sums(i, j));
    }
  }
}

// Calls run(Tiling) for the tiles that finish `products` products of rows x columns first: small ones fill more of the
// 132 processors, large ones take less from L2 for a sum.
template <class Run>
void with_tiling(std::int64_t rows, std::int64_t columns, std::int64_t products, Run run) {
  using Huge = Tiling<256, 128, 64, 64, 3, 1>;
  using Large = Tiling<128, 128, 64, 64, 3, 2>;
  using Tall = Tiling<128, 64, 64, 32, 3, 3>;
  using Small = Tiling<64, 64, 32, 32, 4, 3>;
  const auto time = [&](auto tiling) {  // of a step: bytes from L2, times the blocks that one processor gets
    const std::int64_t blocks = products * ceil_div(rows, tiling.M) * ceil_div(columns, tiling.N);
    return (blocks + 131) / 132 * (tiling.M + tiling.N);
  };
  const std::int64_t huge = time(Huge{}), large = time(Large{}), tall = time(Tall{}), small = time(Small{});
  if (small < min(huge, min(large, tall))) return run(Small{});
  if (tall < min(huge, large)) return run(Tall{});
  return large < huge ? run(Large{}) : run(Huge{});
}

}  // namespace convolith::CONVOLITH_DEVICE
