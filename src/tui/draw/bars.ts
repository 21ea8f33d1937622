/** Bars and sparklines: in eighths of a cell, or in plain characters with `--ascii`. */

const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'] as const
const STEPS = '▁▂▃▄▅▆▇█'
const ASCII_STEPS = '12345678'

/** Bar of `share` (0..1) of `cells`. Any share above 0 shows at least an eighth of a cell. */
export function bar(share: number, cells: number, ascii: boolean): string {
  const clamped = Math.min(1, Math.max(0, share))
  if (ascii) return '#'.repeat(clamped > 0 ? Math.max(1, Math.floor(clamped * cells)) : 0)
  const eighths = clamped > 0 ? Math.max(1, Math.round(clamped * cells * 8)) : 0
  return '█'.repeat(Math.floor(eighths / 8)) + (EIGHTHS[eighths % 8] ?? '')
}

/** A progress bar that is full only at 1. */
export function progressBar(share: number | null, cells: number, ascii: boolean): string {
  const full = share === null ? 0 : share >= 1 ? cells : Math.min(cells - 1, Math.floor(Math.max(0, share) * cells))
  return (ascii ? '#' : '█').repeat(Math.max(0, full)) + (ascii ? '-' : '░').repeat(Math.max(0, cells - full))
}

/** One cell per value, scaled to the largest value. Shows the newest `cells` values. */
export function sparkline(values: readonly number[], cells: number, ascii: boolean): string {
  const shown = values.slice(-cells)
  const top = Math.max(0, ...shown)
  const steps = ascii ? ASCII_STEPS : STEPS
  return shown
    .map((v) => (top <= 0 ? (steps[0] ?? '') : (steps[Math.min(7, Math.max(0, Math.ceil((v / top) * 8) - 1))] ?? '')))
    .join('')
}
