/**
 * The text of an `add` line, rebuilt from the columns of `delta_files`. The raw line is stored only if the rebuilt text
 * differs in a byte. Most writers use this order of fields: of 987 real adds, 979 need no raw line.
 */
import type { FileRecord } from './query/files.ts'

/** JSON texts as the catalog stores them. */
export type AddColumns = Omit<FileRecord, 'fileNo' | 'dvId' | 'rows' | 'addedVersion' | 'partitionValues'> & {
  readonly partitionValues: string | null
  readonly dataChange: boolean
}

/**
 * True if `rebuildAddLine` returns exactly this line. Statistics are most of a line. If `\"` is the only escape in
 * their text, only one spelling is possible: then they are not escaped again for the comparison.
 */
export function isRebuilt(raw: string, add: AddColumns): boolean {
  if (add.stats === null || add.tags !== null || add.deletionVector !== null) return rebuildAddLine(add) === raw
  const head = `${beforeStats(add)},"stats":"`
  const tail = `"${afterStats(add)}`
  if (!raw.startsWith(head) || !raw.endsWith(tail)) return false
  const escaped = raw.slice(head.length, raw.length - tail.length)
  // An unescaped quote would end the text early. All escapes but `\"` can be written in several ways.
  if (escaped.startsWith('"') || OTHER_ESCAPE.test(escaped)) return rebuildAddLine(add) === raw
  return true
}

const OTHER_ESCAPE = /[^\\]"|\\[^"]|\\$/

/** The rebuilt line, without its line break. */
export function rebuildAddLine(add: AddColumns): string {
  const stats = add.stats === null ? '' : `,"stats":${JSON.stringify(add.stats)}`
  return beforeStats(add) + stats + afterStats(add)
}

function beforeStats(add: AddColumns): string {
  const values = add.partitionValues === null ? '' : `,"partitionValues":${add.partitionValues}`
  const times = `,"size":${add.size},"modificationTime":${add.modificationTime},"dataChange":${add.dataChange}`
  return `{"add":{"path":${JSON.stringify(add.path)}${values}${times}`
}

function afterStats(add: AddColumns): string {
  let line = ''
  if (add.tags !== null) line += `,"tags":${add.tags}`
  if (add.deletionVector !== null) line += `,"deletionVector":${add.deletionVector}`
  if (add.baseRowId !== null) line += `,"baseRowId":${add.baseRowId}`
  if (add.defaultRowCommitVersion !== null) line += `,"defaultRowCommitVersion":${add.defaultRowCommitVersion}`
  if (add.clusteringProvider !== null) line += `,"clusteringProvider":${JSON.stringify(add.clusteringProvider)}`
  return `${line}}}`
}
