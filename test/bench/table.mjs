/** Figures as text. */

/** @param {number} ms */
export function time(ms) {
  if (ms >= 10_000) return `${(ms / 1000).toFixed(1)} s`
  if (ms >= 1000) return `${(ms / 1000).toFixed(2)} s`
  if (ms < 0.1) return `${(ms * 1000).toFixed(1)} us`
  return ms >= 10 ? `${ms.toFixed(0)} ms` : `${ms.toFixed(2)} ms`
}

/** @param {number} bytes */
export const megabytes = (bytes) => (bytes === 0 ? '' : `${(bytes / 1e6).toFixed(0)} MB`)

/**
 * A table with a heading; the first column is left-aligned, the others are right-aligned.
 * @param {string[]} heading
 * @param {string[][]} rows
 */
export function textTable(heading, rows) {
  const widths = heading.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i].length)))
  return [heading, ...rows]
    .map((row) => row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join('  '))
    .join('\n')
}
