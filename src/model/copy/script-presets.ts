/** How many rows the parallel script has under way, by the size of a table: its tuning table. */

/** What the script's settings set. */
export type ScriptSizes = {
  /** Chunks under way at the same time. */
  readonly workers: number
  /** Rows of one batch. */
  readonly batchRows: number
  /** Rows of one page. */
  readonly pageRows: number
}

/** `medium` is what the script does where nobody sets anything. */
export const SCRIPT_PRESETS = {
  small: { workers: 3, batchRows: 25, pageRows: 50 },
  medium: { workers: 5, batchRows: 50, pageRows: 100 },
  large: { workers: 8, batchRows: 100, pageRows: 500 },
  unstable: { workers: 2, batchRows: 10, pageRows: 100 },
} as const satisfies Readonly<Record<string, ScriptSizes>>

export type ScriptPreset = keyof typeof SCRIPT_PRESETS

/** Up to 1,000 rows a table is small, beyond 10,000 it is large. @param rows of the largest table, perhaps an estimate */
export function presetBySize(rows: bigint): Exclude<ScriptPreset, 'unstable'> {
  if (rows < 1000n) return 'small'
  return rows > 10_000n ? 'large' : 'medium'
}
