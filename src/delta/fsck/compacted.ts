/**
 * Compares a log compaction file with its commits: it must have their latest action for each file, protocol, metadata,
 * transaction and domain (PROTOCOL.md, "Log Compaction Files"). Readers may read it instead of the commits.
 */
import type { ActionLine, AddAction } from '../actions.ts'
import { declaredBy, REMOVED } from '../declared-text.ts'
import { canonicalPath, dvId } from '../paths.ts'
import { fileKey } from '../replay.ts'
import { leafColumns, type LeafColumn, type StructType } from '../schema.ts'
import { partitionDifferences, statsComparer, type DifferentValues } from '../values/same.ts'

type LatestFileActions = { readonly path: string; readonly add: AddAction | null; readonly wasAdded: boolean }

/** The latest action for each file, protocol, metadata, transaction and domain of the lines. */
export class LatestActions {
  readonly #root: string
  readonly files = new Map<string, LatestFileActions>()
  /** Protocol, metadata, transactions and domains as comparable texts, keyed by what they describe. */
  readonly state = new Map<string, string>()
  /** Keys of files that were named more than once. */
  readonly doubled = new Set<string>()

  /** @param root URI of the table */
  constructor(root: string) {
    this.#root = root
  }

  /** Adds a line: it replaces an earlier line about the same file or state. */
  take({ action }: ActionLine): void {
    switch (action.kind) {
      case 'add':
      case 'remove': {
        const file = action.kind === 'add' ? action.add : action.remove
        const path = canonicalPath(file.path, this.#root)
        const key = fileKey(path, dvId(file.deletionVector))
        const before = this.files.get(key)
        if (before !== undefined) this.doubled.add(key)
        const add = action.kind === 'add' ? action.add : null
        this.files.set(key, { path, add, wasAdded: add !== null || before?.wasAdded === true })
        return
      }
      default: {
        const declared = declaredBy(action)
        if (declared !== null) this.state.set(...declared)
      }
    }
  }
}

/** A difference between a compaction file and its commits. */
export type CompactionDifference = { readonly path?: string; readonly detail: string }

/** @param commits actions of the commits @param compacted actions of the file @param schema of the checked version */
export function compactionDifferences(
  commits: LatestActions,
  compacted: LatestActions,
  schema: StructType,
): readonly CompactionDifference[] {
  const found: CompactionDifference[] = []
  const compare = fileComparer(leafColumns(schema), schema)
  for (const [key, word] of commits.files) {
    const { path } = word
    const said = compacted.files.get(key)
    if (said === undefined) {
      // A file added and removed within the commits may be left out.
      if (word.add !== null) found.push({ path, detail: 'it lacks a file that its commits add' })
      else if (!word.wasAdded) found.push({ path, detail: 'it lacks a file that its commits remove' })
    } else if ((word.add === null) !== (said.add === null)) {
      const [ours, theirs] = [word, said].map(({ add }) => (add === null ? 'removed' : 'active'))
      found.push({ path, detail: `a file is ${theirs} in the compaction file, and ${ours} in its commits` })
    } else if (word.add !== null && said.add !== null) {
      for (const { what, one, other } of compare(word.add, said.add)) {
        found.push({ path, detail: `${what} is ${other} in the compaction file, and ${one} in its commits` })
      }
    }
  }
  for (const [key, { path, add }] of compacted.files) {
    const what = add === null ? 'removes' : 'adds'
    if (!commits.files.has(key)) found.push({ path, detail: `it ${what} a file that its commits do not name` })
  }
  for (const what of new Set([...commits.state.keys(), ...compacted.state.keys()])) {
    const [ours, theirs] = [commits.state.get(what), compacted.state.get(what)]
    if (ours === theirs || (ours === REMOVED && theirs === undefined)) continue
    if (theirs === undefined) found.push({ detail: `it lacks ${what}` })
    else
      found.push({
        detail:
          ours === undefined
            ? `it has ${what}, which its commits do not have`
            : `${what} differs from that of its commits`,
      })
  }
  return found
}

type ComparedFile = (one: AddAction, other: AddAction) => readonly DifferentValues[]

function fileComparer(columns: readonly LeafColumn[], schema: StructType): ComparedFile {
  const stats = statsComparer(columns)
  const facts = ['size', 'modificationTime', 'baseRowId', 'defaultRowCommitVersion'] as const
  return (one, other) => {
    const apart = facts.flatMap((name) => {
      const [a, b] = [one[name] ?? null, other[name] ?? null]
      return a === b ? [] : [{ column: '', what: name, one: String(a), other: String(b) }]
    })
    const texts = one.stats == null || other.stats == null ? [] : (stats(one.stats, other.stats) ?? [])
    return [
      ...apart,
      ...texts,
      ...partitionDifferences(schema.fields, one.partitionValues ?? {}, other.partitionValues ?? {}),
    ]
  }
}
