/** Two sets of files beside each other, in memory that does not grow with them: each side is summed up, in parts by the digest of the key. */
import { createHash } from 'node:crypto'
import { fileKey } from './replay.ts'

const PARTS = 1024

/** Of one set. Each file has to be added once: the sums do not know what they have seen. */
export class FileSums {
  /** One sum for each part, over digests of 64 bits, modulo 2^64. */
  readonly #sums = new BigUint64Array(PARTS)
  files = 0
  bytes = 0n

  /** @param path canonical */
  add(path: string, dvId: string | null, size: number): void {
    const digest = digestOf(path, dvId)
    const part = partIn(digest)
    this.#sums[part] = (this.#sums[part] as bigint) + digest.readBigUInt64LE(8)
    this.files++
    this.bytes += BigInt(size)
  }

  /** The parts in which both sets differ; none where they are the same set. */
  apart(other: FileSums): ReadonlySet<number> {
    return new Set([...this.#sums.keys()].filter((part) => this.#sums[part] !== other.#sums[part]))
  }
}

/** The part of a file, as `apart` numbers them. */
export function partOf(path: string, dvId: string | null): number {
  return partIn(digestOf(path, dvId))
}

function digestOf(path: string, dvId: string | null): Buffer {
  return createHash('sha256').update(fileKey(path, dvId)).digest()
}

function partIn(digest: Buffer): number {
  return digest.readUInt16LE(0) % PARTS
}

/** A file as both sides name it. */
export type SetFile = { readonly path: string; readonly dvId: string | null; readonly size: number }
type FileSet = () => AsyncIterable<readonly SetFile[]>

export async function sumsOf(files: FileSet): Promise<FileSums> {
  const sums = new FileSums()
  for await (const block of files()) for (const { path, dvId, size } of block) sums.add(path, dvId, size)
  return sums
}

/** Files of a set that are held to name some, about: all of a small one, and a part of one that is too large. */
const HELD_FILES = 20_000

/**
 * Some files that only one of two sets has, in the order of their paths; both are gone through once more.
 * @param apart parts in which they differ
 * @param files of the larger set
 */
export async function onlyInOne(
  one: FileSet,
  other: FileSet,
  apart: ReadonlySet<number>,
  files: number,
): Promise<{ readonly one: readonly string[]; readonly other: readonly string[] }> {
  const parts = new Set([...apart].slice(0, Math.ceil((HELD_FILES * PARTS) / Math.max(1, files))))
  const held = async (side: FileSet): Promise<ReadonlyMap<string, string>> => {
    const keys = new Map<string, string>()
    for await (const block of side()) {
      for (const { path, dvId } of block) if (parts.has(partOf(path, dvId))) keys.set(fileKey(path, dvId), path)
    }
    return keys
  }
  const [left, right] = [await held(one), await held(other)]
  const alone = (own: ReadonlyMap<string, string>, them: ReadonlyMap<string, string>): readonly string[] =>
    [...own].flatMap(([key, path]) => (them.has(key) ? [] : [path])).toSorted()
  return { one: alone(left, right), other: alone(right, left) }
}
