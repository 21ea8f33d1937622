/** States of a table as mark, word and tone. */
import { isInCatalog, type TableRow } from '../../model/lake/answers.ts'
import { span, type Span } from '../draw/line.ts'
import type { ThemeMarks } from '../draw/theme.ts'
import { sparkline } from '../draw/bars.ts'
import { amount } from '../../render/screen-format.ts'
import type { State } from '../state/state.ts'
import { ALL_CATALOG_TABLES, syncOf } from '../screens/tables/sync-shown.ts'
import { isRefused } from '../screens/tables/attention.ts'
import { titleOf } from '../../engine/run/systems.ts'

/** Short names of error codes for a column of 12 cells. */
const SHORT: Readonly<Record<string, string>> = {
  LOG_GAP: 'log gap',
  TABLE_FEATURE: 'refused',
  PROTOCOL_VERSION: 'refused',
  NO_LOG: 'no log',
  BAD_CHECKPOINT: 'bad ckpt',
  BAD_ACTION: 'bad log',
  BAD_SCHEMA: 'bad schema',
  SOURCE_DENIED: 'denied',
  SOURCE_GONE: 'gone',
  LOG_REWRITTEN: 'rewritten',
}

/** Cell of the CATALOG column. */
export function catalogState(row: TableRow, marks: ThemeMarks): Span {
  if (row.system !== undefined) return span(`${marks.none} ${titleOf(row.system)}`, 'muted')
  if (row.error !== null) {
    const refused = isRefused(row)
    return span(`${refused ? marks.refused : marks.bad} ${SHORT[row.error.code] ?? 'failed'}`, refused ? 'warn' : 'bad')
  }
  switch (row.catalog.state) {
    case 'none':
      return span(`${marks.none} not yet`, 'muted')
    case 'current':
      return span(`${marks.ok} current`, 'ok')
    case 'behind':
      return span(`${marks.behind} ${row.catalog.commits} behind`, 'warn')
    case 'truncated':
      return span(`${marks.bad} truncated`, 'bad')
    case 'unfinished':
      return span(`${marks.unfinished} at ${row.catalog.percent} %`, 'warn')
    case 'running':
      return span(`${marks.running} running`, 'info')
    case 'away':
      return span(`${marks.bad} away`, 'bad')
    case 'failed':
      return span(`${marks.bad} ${SHORT[row.catalog.error.code] ?? 'failed'}`, 'bad')
  }
}

/** As `catalogState`, for a table that is being synchronized: with the mark of a sync, or its error. */
export function syncedState(row: TableRow, syncs: State['syncs'], marks: ThemeMarks): Span {
  const plain = catalogState(row, marks)
  const sync = isInCatalog(row) ? syncOf(syncs, row.key) : null
  if (sync === null) return plain
  if (sync.state === 'failed' || (sync.trouble !== null && sync.key === row.key))
    return span(`${marks.bad} sync`, 'bad')
  return span(plain.text.replace(/^\S+/, marks.sync), plain.tone === 'ok' ? 'info' : plain.tone)
}

/** State of the sync in one line; null if there is none. */
export function syncText({ syncs, ascii }: State, row: TableRow): Span | null {
  const sync = syncOf(syncs, row.key)
  if (sync === null) return null
  const key = sync.key === ALL_CATALOG_TABLES ? 'W' : 'w'
  if (sync.state === 'failed')
    return span(`ended: ${sync.error?.message ?? 'it failed'} · ${key} begins it again`, 'bad')
  if (sync.state === 'stopping') return span('ends after the current import', 'muted')
  if (sync.trouble !== null) return span(`${sync.trouble} · it tries again · ${key} ends it`, 'bad')
  const cells = Math.min(24, sync.lags.length)
  const spark = sync.lags.length < 2 ? '' : `${sparkline(sync.lags.slice(-cells), cells, ascii)} `
  const of = sync.key === ALL_CATALOG_TABLES ? 'all tables' : 'it'
  return span(`${spark}${amount(sync.lags.at(-1) ?? 0, 'commit')} behind · ${key} ends the sync of ${of}`, 'info')
}

/** Cell of the PROVED column. */
export function proofState(row: TableRow, marks: ThemeMarks): Span {
  if (row.kind !== 'delta') return span('', 'muted')
  switch (row.proof.state) {
    case 'never':
      return span(`${marks.none} never`, 'muted')
    case 'proved':
      return span(`${marks.ok} v${row.proof.version}`, 'ok')
    case 'differs':
      return span(`${marks.bad} ${row.proof.differences} differ`, 'bad')
  }
}

/** Mark of a run's status. */
export function runMark(status: string, marks: ThemeMarks): Span {
  switch (status) {
    case 'ok':
    case 'completed':
    case 'current':
      return span(marks.ok, 'ok')
    case 'running':
    case 'in_progress':
      return span(marks.running, 'info')
    case 'stopped':
    case 'stopping':
    case 'pausing':
    case 'paused':
      return span(marks.unfinished, 'warn')
    case 'refused':
      return span(marks.refused, 'warn')
    case 'waits':
    case 'not known':
    case 'skipped':
    case 'pending':
      return span(marks.none, 'muted')
    default:
      return span(marks.bad, 'bad')
  }
}

/** Abbreviations of long feature names for short lines. */
export function shortFeature(name: string): string {
  return (
    {
      deletionVectors: 'DV',
      inCommitTimestamp: 'ICT',
      columnMapping: 'CM',
      rowTracking: 'RT',
      timestampNtz: 'NTZ',
      v2Checkpoint: 'V2',
      changeDataFeed: 'CDF',
      appendOnly: 'AO',
      typeWidening: 'TW',
      vacuumProtocolCheck: 'VPC',
    }[name] ?? name
  )
}
