/** File names in `_delta_log` (PROTOCOL.md, "Delta Log Entries", "Checkpoints", "Log Compaction Files"). Text only. */

/** Folder of the log below the table root. */
export const LOG_FOLDER = '_delta_log'
/** Folder of V2 sidecar files below the table root. */
export const SIDECAR_FOLDER = '_delta_log/_sidecars'
export const LAST_CHECKPOINT = '_last_checkpoint'

export type LogPath =
  | { readonly kind: 'commit'; readonly version: number; readonly name: string }
  | { readonly kind: 'checkpoint'; readonly version: number; readonly name: string; readonly form: 'classic' }
  | {
      readonly kind: 'checkpoint'
      readonly version: number
      readonly name: string
      readonly form: 'multipart'
      /** Number of the part, from 1. */
      readonly part: number
      readonly parts: number
    }
  | {
      readonly kind: 'checkpoint'
      readonly version: number
      readonly name: string
      readonly form: 'v2'
      readonly format: 'json' | 'parquet'
    }
  | { readonly kind: 'compacted'; readonly from: number; readonly to: number; readonly name: string }
  | { readonly kind: 'crc'; readonly version: number; readonly name: string }
  | { readonly kind: 'lastCheckpoint'; readonly name: string }

const VERSIONED = /^(\d{20})\.(.+)$/
const COMPACTED = /^(\d{20})\.compacted\.json$/
const MULTIPART = /^checkpoint\.(\d{10})\.(\d{10})\.parquet$/
const UUID_NAMED = /^checkpoint\.[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\.(json|parquet)$/i

/** A version above 2^53 is not exact as a number. No writer has reached one, so such a name counts as unknown. */
function versionOf(digits: string): number | null {
  const version = Number(digits)
  return Number.isSafeInteger(version) ? version : null
}

/** Parses a name in `_delta_log`. Null for a name that is not in the protocol, which readers must ignore. */
export function parseLogName(name: string): LogPath | null {
  if (name === LAST_CHECKPOINT) return { kind: 'lastCheckpoint', name }
  const matched = VERSIONED.exec(name)
  if (matched === null) return null
  const version = versionOf(matched[1] ?? '')
  const rest = matched[2] ?? ''
  if (version === null) return null
  if (rest === 'json') return { kind: 'commit', version, name }
  if (rest === 'crc') return { kind: 'crc', version, name }
  if (rest === 'checkpoint.parquet') return { kind: 'checkpoint', version, name, form: 'classic' }
  const multipart = MULTIPART.exec(rest)
  if (multipart !== null) {
    const part = Number(multipart[1])
    const parts = Number(multipart[2])
    return part >= 1 && part <= parts ? { kind: 'checkpoint', version, name, form: 'multipart', part, parts } : null
  }
  const uuid = UUID_NAMED.exec(rest)
  if (uuid !== null) {
    const format = uuid[1] === 'json' ? 'json' : 'parquet'
    return { kind: 'checkpoint', version, name, form: 'v2', format }
  }
  const compacted = COMPACTED.exec(rest)
  const to = compacted === null ? null : versionOf(compacted[1] ?? '')
  return to === null || to <= version ? null : { kind: 'compacted', from: version, to, name }
}

/** The 20 digits that start the name of every file of a version. */
export function versionDigits(version: number): string {
  return version.toString().padStart(20, '0')
}

export function commitName(version: number): string {
  return `${versionDigits(version)}.json`
}

export function crcName(version: number): string {
  return `${versionDigits(version)}.crc`
}

/** Path of a log file relative to the table root. */
export function logPathOf(name: string): string {
  return `${LOG_FOLDER}/${name}`
}
