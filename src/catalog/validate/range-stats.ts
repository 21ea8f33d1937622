/**
 * Reads the statistics of a file for the check of ranges. JSON.parse parses the whole text; if this could round a
 * number, scalars are first converted to texts. The method is slower than src/delta/stats.ts, and different, so that
 * one bug is not in both.
 */

/** Scalars as written in the text, strings with their quotes. */
export type ColumnStats = { readonly min: string | null; readonly max: string | null; readonly nulls: string | null }

export type LoggedFileStats = {
  /** False if min, max and the counts may include deleted rows. */
  readonly tight: boolean
  readonly records: string | null
  of(physicalPath: readonly string[]): ColumnStats
}

type Tree = null | string | number | boolean | readonly Tree[] | { readonly [key: string]: Tree }
type Members = { readonly [key: string]: Tree }

/** Numbers that a double may not represent exactly. */
const LONG_NUMBER = /[\d.]{16}|\d[eE]/
/** A string, with its colon if it is a key, or any other scalar. */
const TOKEN = /"(?:[^"\\]|\\.)*"(\s*:)?|[^\s",:{}[\]]+/gs

/** Statistics of a file; null if the text is not a JSON object: then nothing is known about the file. */
export function fileStats(stats: string | null): LoggedFileStats | null {
  if (stats === null) return null
  const plain = LONG_NUMBER.test(stats) ? null : objectIn(stats)
  if (plain !== null) return factsIn(plain, (leaf) => (typeof leaf === 'string' ? JSON.stringify(leaf) : String(leaf)))
  const texts = objectIn(
    stats.replace(TOKEN, (token, colon: string | undefined) => (colon === undefined ? JSON.stringify(token) : token)),
  )
  return texts === null ? null : factsIn(texts, String)
}

function objectIn(text: string): Members | null {
  try {
    const tree = JSON.parse(text) as Tree
    return isObject(tree) ? tree : null
  } catch {
    return null
  }
}

function isObject(tree: Tree | undefined): tree is Members {
  return typeof tree === 'object' && tree !== null && !Array.isArray(tree)
}

/** @param written returns a scalar as it was in the text */
function factsIn(root: Members, written: (leaf: string | number | boolean) => string): LoggedFileStats {
  const at = (tree: Tree | undefined, name: string): Tree | undefined =>
    isObject(tree) && Object.hasOwn(tree, name) ? tree[name] : undefined
  const scalar = (leaf: Tree | undefined): string | null => {
    if (leaf === undefined || leaf === null || typeof leaf === 'object') return null
    const text = written(leaf)
    return text === 'null' ? null : text
  }
  const found = (name: string, path: readonly string[]): string | null =>
    scalar(path.reduce<Tree | undefined>(at, at(root, name)))
  return {
    tight: scalar(at(root, 'tightBounds')) !== 'false',
    records: scalar(at(root, 'numRecords')),
    of: (path) => ({
      min: found('minValues', path),
      max: found('maxValues', path),
      nulls: found('nullCount', path) ?? found('nullCounts', path),
    }),
  }
}
