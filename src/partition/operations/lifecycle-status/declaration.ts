import type { AlertOptions } from '../../../model/run/alert.ts'
import type { LifecycleEntry } from '../../lifecycle/entry.ts'
import type { Declaration } from '../../../engine/run/operations/declaration.ts'
import { PAGES } from '../../../engine/run/operations/pages.ts'
import { ALERT_FLAGS } from '../../../engine/run/operations/words.ts'
import { LIFECYCLE_CAUSES, LIFECYCLE_OPTIONS } from './options.ts'

/** Lifecycle phases of tables. */
export type LifecycleStatusOperation = {
  readonly kind: 'lifecycle-status'
  /** Names of the tables, in the order of `entries`. */
  readonly tables: readonly string[]
  readonly entries: readonly LifecycleEntry[]
  /** URLs of all databases in the entries. */
  readonly databases: readonly string[]
  readonly alert?: AlertOptions
}

const EVENTS = ['lifecycle.phase', 'log'] as const

export const lifecycleStatus: Declaration<LifecycleStatusOperation, (typeof EVENTS)[number]> = {
  kind: 'lifecycle-status',
  command: {
    ...PAGES.lifecycle,
    takes: LIFECYCLE_OPTIONS,
    first: ['table', 'from', 'by', 'calendar', 'first-month', 'zone', 'archive', 'older-than', 'write', 'replace'],
    notes:
      'A table has four phases: it is partitioned, it takes the place of the old table, it gets partitions for ' +
      'coming periods, and old partitions are archived. `lifecycle:` of the config file has the options of each ' +
      'table, with the names of the options of partition and archive; these commands use them unless the ' +
      'command line sets them. init inspects a table and writes its entry, with comments. status shows for each ' +
      'phase what is done, due or blocked, and the command that continues; it changes nothing. Without --config ' +
      'both use sluice.yaml of this folder.\n',
  },
  actions: { 'lifecycle status': { byHand: ['table', ...ALERT_FLAGS] } },
  display: 'listing',
  stores: [{ field: 'databases', family: 'database', access: 'read', end: 'source' }],
  about: 'tables',
  alerts: { causes: LIFECYCLE_CAUSES },
  distributes: { by: 'parts' },
  comesAgain: true,
  events: EVENTS,
}
