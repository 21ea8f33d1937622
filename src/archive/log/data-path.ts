/** Paths of the files of a partition, on disk and as spelled in the log. */
import { createHash } from 'node:crypto'

/** Characters that Hive and Spark escape in folder names. */
const HIVE = /[\u0000-\u001f"#%'*/:=?\\[\]{^\u007f]/g
/** Longest folder name, bytes: every file system accepts it, with space for suffixes of other programs. */
const LONGEST = 200

/** Folder of a partition, relative to the root, as on disk. Readers use the value in the log. @param value not empty */
export function partitionFolder(column: string, value: string): string {
  const name = `${hive(column)}=${hive(value)}`
  if (Buffer.byteLength(name) <= LONGEST) return name
  const digest = createHash('sha256').update(name).digest('hex').slice(0, 32)
  const kept: string[] = []
  let bytes = digest.length + 1
  for (const character of name) {
    bytes += Buffer.byteLength(character)
    if (bytes > LONGEST) break
    kept.push(character)
  }
  return `${kept.join('')}-${digest}`
}

function hive(text: string): string {
  return text.replace(HIVE, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`)
}

/** A path below the root in the form of the log: a relative URI (RFC 2396). @param path the path as on disk */
export function logUri(path: string): string {
  return encodeURI(path).replace(/[?#]/g, encodeURIComponent)
}
