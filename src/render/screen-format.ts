/** Numbers and times for people. Unknown is always `?`. */
import { clockText, durationText, grouped, sizeText, digits } from '../shared/figures.ts'

/** `1,204,331`; `?` if unknown. */
export function shownCount(n: number | null | undefined): string {
  if (n === null || n === undefined || !Number.isFinite(n)) return '?'
  return grouped(Math.trunc(n))
}

/** A decimal string of an event, grouped without passing through a number. */
export function countDec(text: string | undefined): string {
  return text === undefined ? '?' : grouped(text)
}

/** `1 file`, `2 files`; an irregular plural is passed in. */
export function amount(n: number | null, one: string, many = one + 's'): string {
  return `${shownCount(n)} ${n === 1 ? one : many}`
}

/** `9.8 GB`, decimal units; `?` if unknown. */
export function bytes(n: number | null | undefined): string {
  if (n === null || n === undefined || !Number.isFinite(n)) return '?'
  return `${n < 0 ? '−' : ''}${sizeText(Math.abs(n), 1)}`
}

/** Number of a decimal string, or null. */
export function numberOf(text: string | undefined | null): number | null {
  if (text === undefined || text === null || text === '') return null
  const n = Number(text)
  return Number.isFinite(n) ? n : null
}

/** Age in one unit: `<1 min`, `4 min`, `3 h`, `1 d`, `2 y`. No seconds: an idle screen draws ages once a minute. */
export function age(then: number | null, now: number): string {
  if (then === null) return '?'
  const s = Math.max(0, Math.floor((now - then) / 1000))
  if (s < 60) return '<1 min'
  if (s < 3600) return `${Math.floor(s / 60)} min`
  if (s < 86_400) return `${Math.floor(s / 3600)} h`
  if (s < 2 * 365 * 86_400) return `${Math.floor(s / 86_400)} d`
  return `${Math.floor(s / (365 * 86_400))} y`
}

/** A running time: `0:17`, `1:02:03`. */
export function clockSpan(ms: number | null): string {
  return ms === null || !Number.isFinite(ms) ? '?' : clockText(ms)
}

/** How long something took: `0.31 ms`, `41.2 ms`, `1.90 s`, `12.4 s`, `2 min 5 s`. */
export function took(ms: number | null | undefined): string {
  if (ms === null || ms === undefined || !Number.isFinite(ms)) return '?'
  if (ms < 10) return `${ms.toFixed(2)} ms`
  if (ms < 1000) return `${ms.toFixed(1)} ms`
  if (ms < 9995) return `${(ms / 1000).toFixed(2)} s`
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`
  return `${Math.floor(ms / 60_000)} min ${Math.floor((ms % 60_000) / 1000)} s`
}

/** Seconds for lists: `0.2 s`, `10.9 s`, and from a minute on `3:12`. */
export function seconds(ms: number | null | undefined): string {
  return ms === null || ms === undefined || !Number.isFinite(ms) ? '?' : durationText(ms)
}

/** `41,200/s`: always whole numbers, never `k/s`; `?` if not measured. */
export function rate(perSecond: number | null): string {
  return perSecond === null || !Number.isFinite(perSecond) ? '?' : `${shownCount(Math.round(perSecond))}/s`
}

/** `9,900/s`, `11.2 k/s`, `1.3 M/s`: for a column of 8 cells. */
export function shortRate(perSecond: number): string {
  if (perSecond < 10_000) return rate(perSecond)
  return perSecond < 999_950 ? `${(perSecond / 1000).toFixed(1)} k/s` : `${(perSecond / 1_000_000).toFixed(1)} M/s`
}

/** `63 %`; `?` if unknown. */
export function percent(share: number | null): string {
  return share === null || !Number.isFinite(share) ? '?' : `${Math.floor(share * 100)} %`
}

/** `12:04:16` in the terminal's time zone. */
export function timeOfDay(ms: number | null): string {
  if (ms === null || Number.isNaN(ms)) return '?'
  const d = new Date(ms)
  return `${digits(d.getHours(), 2)}:${digits(d.getMinutes(), 2)}:${digits(d.getSeconds(), 2)}`
}

/** `2026-11-20` in the terminal's time zone. */
export function day(ms: number): string {
  const d = new Date(ms)
  return `${d.getFullYear()}-${digits(d.getMonth() + 1, 2)}-${digits(d.getDate(), 2)}`
}

/** `12:04:16` for today, `11-19 12:04` for this year, else `2024-11-19`. Always at most 11 cells. */
export function shownTime(ms: number | null, now: number): string {
  if (ms === null || Number.isNaN(ms)) return '?'
  const date = day(ms)
  if (date === day(now)) return timeOfDay(ms)
  if (date.slice(0, 4) === day(now).slice(0, 4)) return `${date.slice(5)} ${timeOfDay(ms).slice(0, 5)}`
  return date
}

/** `2026-11-20 12:04:16`. */
export function fullTime(ms: number | null): string {
  return ms === null || Number.isNaN(ms) ? '?' : `${day(ms)} ${timeOfDay(ms)}`
}

/** ms of an ISO time of an event, or null. */
export function msOf(iso: string | undefined): number | null {
  if (iso === undefined) return null
  const ms = Date.parse(iso)
  return Number.isNaN(ms) ? null : ms
}
