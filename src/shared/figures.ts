/** Amounts, durations and counts as text. Nothing here depends on locale or time zone. */

/** `1204331` as `1,204,331`; accepts decimal strings, so nothing is rounded. */
export function grouped(count: string | number | bigint): string {
  return count.toString().replaceAll(/\B(?=(?:\d{3})+$)/g, ',')
}

const BYTE_UNITS = ['B', 'KB', 'MB', 'GB', 'TB', 'PB', 'EB'] as const

/**
 * Decimal units: `9.8 GB`, `512 MB`, `148 KB`, `96 B`.
 * @param bytes 0 or more
 * @param places digits after the point for every unit above B; default: 1 below 100, and 0 from 100 on
 */
export function sizeText(bytes: string | number | bigint, places?: 0 | 1): string {
  const next = places === 1 ? 999.95 : 999.5
  let amount = Number(bytes)
  let unit = 0
  while (amount >= next && unit < BYTE_UNITS.length - 1) {
    amount /= 1000
    unit += 1
  }
  const behind = unit === 0 ? 0 : (places ?? (amount >= 99.95 ? 0 : 1))
  return `${amount.toFixed(behind)} ${BYTE_UNITS[unit] ?? 'B'}`
}

/** A number with leading zeros. */
export function digits(number: number, width: number): string {
  return String(number).padStart(width, '0')
}

/** Elapsed time as `0:17`, `12:04`, `3:02:11`. */
export function clockText(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000))
  const hours = Math.floor(seconds / 3600)
  const minutes = Math.floor(seconds / 60) % 60
  return hours > 0
    ? `${hours}:${digits(minutes, 2)}:${digits(seconds % 60, 2)}`
    : `${minutes}:${digits(seconds % 60, 2)}`
}

/** How long an operation took: `0.2 s`, `10.9 s`, `3:12`. */
export function durationText(ms: number): string {
  return ms < 59_950 ? `${(ms / 1000).toFixed(1)} s` : clockText(ms)
}

/** A measurement with three digits: `3.10 ms`, `38.7 ms`, `1.91 s`, `92.4 s`. */
export function measureText(ms: number): string {
  const three = (n: number): string =>
    n >= 99.95 ? Math.round(n).toString() : n >= 9.995 ? n.toFixed(1) : n.toFixed(2)
  return ms < 999.5 ? `${three(ms)} ms` : `${three(ms / 1000)} s`
}

/** How long an answer took: `0.4 ms`, `38 ms`, `1.9 s`. */
export function tookText(ms: number): string {
  if (ms >= 999.5) return `${(ms / 1000).toFixed(1)} s`
  return `${ms < 9.95 ? ms.toFixed(1) : Math.round(ms)} ms`
}

/** The cost of a write: `0.042 ms`, `1.25 ms`. */
export function millisText(ms: number): string {
  return `${ms.toFixed(ms < 0.1 ? 3 : 2)} ms`
}

/** A factor: `1.2x`, `615x`, `10,018x`. */
export function factorText(factor: number, sign: 'x' | '×' = 'x'): string {
  return `${factor < 9.95 ? factor.toFixed(1) : grouped(Math.round(factor))}${sign}`
}

/** `2026-11-20T12:04:16.204Z` as `2026-11-20 12:04:16`, UTC. */
export function timeText(iso: string): string {
  return iso.replace('T', ' ').replace(/(?:\.\d+)?Z$/, '')
}

/** `1 table`, `14 tables`. */
export function plural(count: string | number | bigint, one: string, many: string = `${one}s`): string {
  return `${grouped(count)} ${count.toString() === '1' ? one : many}`
}

/** `1 table`, `1400 tables`: not grouped, for messages that programs parse as well. */
export function countText(count: string | number | bigint, one: string): string {
  return `${count} ${one}${count.toString() === '1' ? '' : 's'}`
}
