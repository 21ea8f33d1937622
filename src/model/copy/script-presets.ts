/** Tuning table of the parallel script: how many rows it processes at a time, by table size. */

/** Sizes that the script's settings determine. */
export type ScriptSizes = {
  /** Chunks processed at the same time. */
  readonly workers: number
  /** Rows per batch. */
  readonly batchRows: number
  /** Rows per page. */
  readonly pageRows: number
}

/** Upper limit of its workers; the script reduces a larger number in its settings file. */
export const MOST_SCRIPT_WORKERS = 64

/** `medium` is the script's default. */
export const SCRIPT_PRESETS = {
  small: { workers: 3, batchRows: 25, pageRows: 50 },
  medium: { workers: 5, batchRows: 50, pageRows: 100 },
  large: { workers: 8, batchRows: 100, pageRows: 500 },
  unstable: { workers: 2, batchRows: 10, pageRows: 100 },
} as const satisfies Readonly<Record<string, ScriptSizes>>

export type ScriptPreset = keyof typeof SCRIPT_PRESETS

/** Below 1,000 rows a table is small, above 10,000 large. @param rows of the largest table; may be an estimate */
export function presetBySize(rows: bigint): Exclude<ScriptPreset, 'unstable'> {
  if (rows < 1000n) return 'small'
  return rows > 10_000n ? 'large' : 'medium'
}
