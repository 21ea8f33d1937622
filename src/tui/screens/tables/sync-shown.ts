/** Tables synchronized with new commits by `sync --watch`, also while other runs are active. */
import type { TableRow } from '../../../model/lake/answers.ts'
import type { ErrorInfo } from '../../../shared/errors.ts'

/** Key for all tables of the catalog. */
export const ALL_CATALOG_TABLES = ''

export type Sync = {
  /** Key of the table; ALL_CATALOG_TABLES for all tables of the catalog. */
  readonly key: string
  readonly state: 'running' | 'stopping' | 'failed'
  /** Why the sync ended. */
  readonly error: ErrorInfo | null
  /** Current error of a sync that continues and retries by itself. */
  readonly trouble: string | null
  /** Lag of the catalog in commits at each change, the newest last. */
  readonly lags: readonly number[]
}

/** Maximum number of samples that are kept. */
const MOST = 60

/** The sync of a table: a sync of this table only, or else the sync of all tables. */
export function syncOf(syncs: readonly Sync[], key: string): Sync | null {
  return syncs.find((one) => one.key === key) ?? syncs.find((one) => one.key === ALL_CATALOG_TABLES) ?? null
}

/** Lag of the catalog, in commits. */
export function lagOf({ catalog }: TableRow): number {
  return catalog.state === 'behind' ? catalog.commits : 0
}

/** Adds a lag sample to the syncs of changed rows. */
export function sampled(
  syncs: readonly Sync[],
  changed: readonly TableRow[],
  all: readonly TableRow[],
): readonly Sync[] {
  return syncs.map((sync) => {
    const isAll = sync.key === ALL_CATALOG_TABLES
    const own = isAll ? all : changed.filter(({ key }) => key === sync.key)
    if (own.length === 0) return sync
    const lag = own.reduce((sum, row) => sum + lagOf(row), 0)
    return { ...sync, lags: [...sync.lags, lag].slice(-MOST) }
  })
}
