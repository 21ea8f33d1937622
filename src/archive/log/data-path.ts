/** Where files of a partition lie, on the disk and as the log spells it. */
import { createHash } from 'node:crypto'

/** What Hive and Spark escape in names of folders. */
const HIVE = /[\u0000-\u001f"#%'*/:=?\\[\]{^\u007f]/g
/** Bytes of a folder's name that every file system takes, with room for what others put behind it. */
const LONGEST = 200

/**
 * The folder of a partition below the root, as it stands on the disk. Nobody reads the value out of it: that is in the log.
 * @param value not empty
 */
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

/** A path below the root as the log has it: a relative URI (RFC 2396). @param path as it stands on the disk */
export function logUri(path: string): string {
  return encodeURI(path).replace(/[?#]/g, encodeURIComponent)
}
