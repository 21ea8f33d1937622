/** Tables whose new commits are brought into the catalog as they come, beside whatever else runs. */
import type { TableRow } from '../../model/lake/answers.ts'
import type { ErrorInfo } from '../../shared/errors.ts'

/** Of all tables of the catalog. */
export const EVERY_TABLE = ''

export type Sync = {
  /** Key of the table; EVERY_TABLE for all of them. */
  readonly key: string
  readonly state: 'running' | 'stopping' | 'failed'
  /** Why it ended. */
  readonly error: ErrorInfo | null
  /** What is wrong while it goes on: it tries again by itself. */
  readonly trouble: string | null
  /** Commits that the catalog was behind, at each change, the newest last. */
  readonly lags: readonly number[]
}

/** Samples that are drawn. */
const MOST = 60

/** The one that brings a table in; its own goes before that of all tables. */
export function syncOf(syncs: readonly Sync[], key: string): Sync | null {
  return syncs.find((one) => one.key === key) ?? syncs.find((one) => one.key === EVERY_TABLE) ?? null
}

/** How far the catalog is behind, commits. */
export function lagOf({ catalog }: TableRow): number {
  return catalog.state === 'behind' ? catalog.commits : 0
}

/** After rows have changed: another sample for whoever they are of. */
export function sampled(
  syncs: readonly Sync[],
  changed: readonly TableRow[],
  all: readonly TableRow[],
): readonly Sync[] {
  return syncs.map((sync) => {
    const isAll = sync.key === EVERY_TABLE
    const own = isAll ? all : changed.filter(({ key }) => key === sync.key)
    if (own.length === 0) return sync
    const lag = own.reduce((sum, row) => sum + lagOf(row), 0)
    return { ...sync, lags: [...sync.lags, lag].slice(-MOST) }
  })
}
