/** Waits until acknowledged writes are synced: `commitlog_sync: periodic` acknowledges before the log is on disk. */
import { types, type Host } from 'cassandra-driver'
import { restUnder, throwIfAborted } from '../../shared/abort.ts'
import type { CassandraLink } from './connect.ts'

/** Default sync period in `cassandra.yaml`, ms. */
const DEFAULT_PERIOD_MS = 10_000
/** Nodes block writes themselves once a sync is late by more than half a period. */
const PERIODS = 1.5
const UNIT_MS: Readonly<Record<string, number>> = { '': 1, ms: 1, s: 1000, m: 60_000, h: 3_600_000 }

/**
 * Returns once every write acknowledged before the call is in a synced commit log, on each node that acknowledged it.
 * Waits 1.5 times the longest sync period of the nodes; returns at once if all nodes sync before they acknowledge.
 * @throws SluiceError the reason of the signal, if it is aborted
 */
export async function untilSynced(link: CassandraLink, signal: AbortSignal): Promise<void> {
  const hosts = link.client.hosts.values().filter((host) => host.isUp())
  const periods = await Promise.all(hosts.map((host) => periodOf(link, host)))
  const longest = Math.max(0, ...periods)
  if (longest > 0) await restUnder(signal, longest * PERIODS)
  throwIfAborted(signal)
}

/**
 * Milliseconds between two syncs of a node; 0 if it syncs before it acknowledges. If the node does not report it: the
 * value in the URL, or the default.
 */
async function periodOf({ client, settings }: CassandraLink, host: Host): Promise<number> {
  const unknown = settings.syncPeriodMs ?? DEFAULT_PERIOD_MS
  try {
    const { rows } = await client.execute('SELECT name, value FROM system_views.settings', [], {
      consistency: types.consistencies.one,
      host,
    })
    return syncPeriod(new Map(rows.map((row) => [String(row.get('name')), String(row.get('value'))]))) ?? unknown
  } catch {
    // Releases before 4.0 have no such table, and a login may have no right to it.
    return unknown
  }
}

/**
 * Sync period in ms, from the rows of `system_views.settings`. Releases 4.0 and 4.1 use different setting names, and
 * 4.0 writes milliseconds without a unit.
 * @returns null if the settings are missing
 */
export function syncPeriod(settings: ReadonlyMap<string, string>): number | null {
  const mode = settings.get('commitlog_sync')
  if (mode === undefined || mode === 'null') return null
  if (mode !== 'periodic') return 0
  const text = settings.get('commitlog_sync_period') ?? settings.get('commitlog_sync_period_in_ms') ?? ''
  const [, digits, unit = ''] = /^(\d+)(ms|s|m|h)?$/.exec(text) ?? []
  return digits === undefined ? null : Number(digits) * (UNIT_MS[unit] ?? 1)
}
