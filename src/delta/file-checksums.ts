/** Compares two sets of files in constant memory: a checksum for each set, split into parts by the key's digest. */
import { createHash } from 'node:crypto'
import { fileKey } from './replay.ts'

const PARTS = 1024

/** Checksums of one set. Add each file exactly once: duplicates are not noticed. */
export class FileChecksums {
  /** One checksum per part: the sum of 64-bit digests modulo 2^64. */
  readonly #checksums = new BigUint64Array(PARTS)
  /** One checksum per part, over the files with the texts of their statistics. */
  readonly #statistics = new BigUint64Array(PARTS)
  files = 0
  bytes = 0n

  /** @param path canonical */
  add({ path, dvId, size, stats }: SetFile): void {
    const digest = digestOf(path, dvId)
    const part = partIn(digest)
    this.#checksums[part] = (this.#checksums[part] as bigint) + digest.readBigUInt64LE(8)
    this.files++
    this.bytes += BigInt(size)
    if (stats == null) return
    const withStats = createHash('sha256').update(digest).update(stats).digest()
    this.#statistics[part] = (this.#statistics[part] as bigint) + withStats.readBigUInt64LE(8)
  }

  /** The parts in which the two sets differ; empty if the sets are equal. */
  differentParts(other: FileChecksums): ReadonlySet<number> {
    return differentIn(this.#checksums, other.#checksums)
  }

  /** The parts in which files or texts of statistics differ. Different texts may mean the same. */
  differentStatistics(other: FileChecksums): ReadonlySet<number> {
    return differentIn(this.#statistics, other.#statistics)
  }
}

function differentIn(one: BigUint64Array, other: BigUint64Array): ReadonlySet<number> {
  return new Set([...one.keys()].filter((part) => one[part] !== other[part]))
}

/** Number of the part to which a file belongs, as in the result of `differentParts`. */
export function filePart(path: string, dvId: string | null): number {
  return partIn(digestOf(path, dvId))
}

function digestOf(path: string, dvId: string | null): Buffer {
  return createHash('sha256').update(fileKey(path, dvId)).digest()
}

function partIn(digest: Buffer): number {
  return digest.readUInt16LE(0) % PARTS
}

/** A file of a set; both sets use this form. */
export type SetFile = {
  readonly path: string
  readonly dvId: string | null
  readonly size: number
  /** Text of its statistics; null if it has none, absent if they are not compared. */
  readonly stats?: string | null
}
type FileSet = () => AsyncIterable<readonly SetFile[]>

/** Reads a set of files and adds up its checksums. */
export async function checksumsOf(files: FileSet): Promise<FileChecksums> {
  const sums = new FileChecksums()
  for await (const block of files()) for (const file of block) sums.add(file)
  return sums
}

/** Largest number of files whose statistics are kept in memory at a time. */
const KEPT_STATISTICS = 50_000

/** Statistics of a file that both sets have. */
export type StatisticsPair = { readonly path: string; readonly one: string; readonly other: string }

/**
 * Statistics whose texts differ, of files that both sets have with statistics. Reads both sets once for each 50,000
 * files.
 * @param parts of `differentStatistics`
 * @param files number of files in the larger set
 */
export async function* differentTexts(
  one: FileSet,
  other: FileSet,
  parts: ReadonlySet<number>,
  files: number,
): AsyncGenerator<StatisticsPair> {
  const step = Math.max(1, Math.floor((KEPT_STATISTICS * PARTS) / Math.max(1, files)))
  const all = [...parts]
  for (let at = 0; at < all.length; at += step) {
    const chosen = new Set(all.slice(at, at + step))
    const kept = new Map<string, string>()
    for await (const block of one()) {
      for (const { path, dvId, stats } of block)
        if (stats != null && chosen.has(filePart(path, dvId))) kept.set(fileKey(path, dvId), stats)
    }
    for await (const block of other()) {
      for (const { path, dvId, stats } of block) {
        const own = kept.get(fileKey(path, dvId))
        if (own !== undefined && stats != null && own !== stats) yield { path, one: own, other: stats }
      }
    }
  }
}

/** Approximate number of files kept in memory to name differences: all of a small set, some parts of a larger set. */
const KEPT_FILES = 20_000

/**
 * Examples of files that only one of the two sets has, sorted by path; reads both sets once more.
 * @param differentParts parts in which the sets differ
 * @param files number of files in the larger set
 */
export async function onlyInOne(
  one: FileSet,
  other: FileSet,
  differentParts: ReadonlySet<number>,
  files: number,
): Promise<{ readonly one: readonly string[]; readonly other: readonly string[] }> {
  const parts = new Set([...differentParts].slice(0, Math.ceil((KEPT_FILES * PARTS) / Math.max(1, files))))
  const held = async (side: FileSet): Promise<ReadonlyMap<string, string>> => {
    const keys = new Map<string, string>()
    for await (const block of side()) {
      for (const { path, dvId } of block) if (parts.has(filePart(path, dvId))) keys.set(fileKey(path, dvId), path)
    }
    return keys
  }
  const [left, right] = [await held(one), await held(other)]
  const alone = (own: ReadonlyMap<string, string>, them: ReadonlyMap<string, string>): readonly string[] =>
    [...own].flatMap(([key, path]) => (them.has(key) ? [] : [path])).toSorted()
  return { one: alone(left, right), other: alone(right, left) }
}
