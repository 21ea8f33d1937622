/** A run report as blocks, from which both Markdown and HTML are written. */
import type { Bar } from './charts.ts'
import type { CurvePoint } from '../run-history.ts'
import { isoTime } from '../../../shared/clock.ts'
import {
  OTHERS_AMONG,
  type BookPart,
  type CatalogPart,
  type LedgerPart,
  type QueuePart,
  type RunReport,
} from './run-report.ts'

export type ReportBlock =
  | { readonly is: 'heading'; readonly text: string }
  | { readonly is: 'text'; readonly text: string }
  | { readonly is: 'table'; readonly head: readonly string[]; readonly rows: readonly (readonly string[])[] }
  /** A chart of data that a table or text also contains: Markdown omits it. */
  | { readonly is: 'bars'; readonly title: string; readonly bars: readonly Bar[] }
  | { readonly is: 'curve'; readonly title: string; readonly points: readonly CurvePoint[] }

const NAMES = {
  ledger: 'ledger of the target',
  catalog: 'audit of the catalog',
  book: 'run history of this machine',
  queue: 'queue of workers',
} as const

export function reportBlocks(report: RunReport): readonly ReportBlock[] {
  const {
    looked: inspected,
    notReached,
    notLookedAt: notInspectedAt,
    at,
    tool,
    ledger,
    catalog,
    book,
    queue = null,
  } = report
  return [
    {
      is: 'text',
      text: `Written at ${at} by sluice ${tool}. It shows what was recorded by then; nothing was compared.`,
    },
    {
      is: 'table',
      head: ['inspected', 'where', ''],
      rows: [
        ...inspected.map(({ what, where, knows }) => [NAMES[what], where, knows ? 'has the run' : 'does not have it']),
        ...notReached.map(({ what, where, code, message }) => [NAMES[what], where, `not reached: ${code}, ${message}`]),
      ],
    },
    ...(notInspectedAt.length === 0
      ? []
      : [{ is: 'text', text: `Not inspected: ${notInspectedAt.join('; ')}.` } satisfies ReportBlock]),
    ...(ledger === null ? [] : ledgerBlocks(ledger)),
    ...(catalog === null ? [] : catalogBlocks(catalog)),
    ...(book === null ? [] : historyBlocks(book)),
    ...(queue === null ? [] : queueBlocks(queue)),
  ]
}

function courseFacts(
  run: Pick<LedgerPart, 'status' | 'exitCode' | 'startedAt' | 'endedAt'>,
  why: string | null,
): readonly (readonly [string, string | null])[] {
  return [
    ['status', run.status],
    ['exit code', run.exitCode === null ? null : String(run.exitCode)],
    ['why', why],
    ['began', run.startedAt],
    ['ended', run.endedAt],
  ]
}

function ledgerBlocks(part: LedgerPart): readonly ReportBlock[] {
  const states = sums(part.tables.map(({ chunks }) => chunks))
  return [
    heading('The run in the ledger'),
    facts([
      ['operation', part.operation],
      ...courseFacts(part, part.detail),
      ['from', part.source],
      ['to', part.target],
      ['rows written', part.rows],
      ['command', part.command],
      ['by', part.actor],
      ['sluice', part.tool],
    ]),
    heading('Tables'),
    text(
      'A chunk is counted for the run that worked on it last. Its rows are proved if the ledger records a proof of the chunk, as of the time when it was copied or compared. Existing rows that were compared and are equal are not written.',
    ),
    ...(part.tables.length === 0
      ? [text('The ledger has no chunk of this run.')]
      : [
          table(
            ['table', 'chunks', 'read', 'written', 'equal', 'removed', 'skipped', 'quarantined', 'proof of the rows'],
            part.tables.map((one) => [
              one.table,
              counts(one.chunks),
              one.read,
              one.written,
              one.equal,
              one.removed,
              one.skipped,
              one.aside,
              Object.entries(one.proved)
                .map(([proof, rows]) => `${rows} ${PROOFS[proof] ?? proof}`)
                .join(', ') || '-',
            ]),
          ),
          { is: 'bars', title: 'Chunks by state', bars: barsOf(states) } satisfies ReportBlock,
        ]),
    heading('Failures'),
    ...(part.failures.length === 0
      ? [text('No chunk of this run is recorded as failed.')]
      : [
          table(
            ['table', 'chunk', 'state', 'tries', 'code', 'cause'],
            part.failures.map((one) => [
              one.table,
              one.chunk,
              one.status,
              String(one.attempts),
              one.code ?? '',
              one.message,
            ]),
          ),
          ...(part.moreFailures === '0' ? [] : [text(`${part.moreFailures} more are in migration_checkpoints.`)]),
        ]),
    heading('Quarantine'),
    ...(part.refusals.length === 0
      ? [text('This run quarantined no row.')]
      : [
          table(
            ['table', 'stage', 'code', 'rows', 'written since', 'one of the messages'],
            part.refusals.map((one) => [one.table, one.stage, one.code, one.rows, one.replayed, one.example]),
          ),
        ]),
    ...(part.slowest.length === 0
      ? []
      : [
          heading('Time of chunks'),
          {
            is: 'bars',
            title: 'Completed chunks by how long they took',
            bars: part.durations.map(({ belowMs, chunks }) => ({
              label: belowMs === null ? 'longer' : `below ${timeText(belowMs)}`,
              value: chunks,
            })),
          } satisfies ReportBlock,
          table(
            ['slowest', 'chunk', 'took', 'rows'],
            part.slowest.map((one) => [one.table, one.chunk, timeText(one.ms), one.rows]),
          ),
        ]),
    heading('Other runs of these tables'),
    ...(part.others.length === 0
      ? [text(`None among the newest ${OTHERS_AMONG} runs of the ledger.`)]
      : [
          table(
            ['run', 'operation', 'status', 'began', 'tables'],
            part.others.map((one) => [one.run, one.operation, one.status, one.startedAt ?? '', one.tables.join(', ')]),
          ),
          text(`Searched among the newest ${OTHERS_AMONG} runs of the ledger.`),
        ]),
  ]
}

/** Meaning of each proof of the ledger (docs/reference/LEDGER.md); other words are printed unchanged. */
const PROOFS: Readonly<Record<string, string>> = {
  echo: 'read back and equal byte for byte (echo)',
  canonical: 'equal by the sum of row hashes (canonical)',
  table: 'equal as a whole table, by the sum of row hashes (table)',
  count: 'counted only (count)',
  none: 'not proved (none)',
}

function catalogBlocks(part: CatalogPart): readonly ReportBlock[] {
  return [
    heading('The run in the audit of the catalog'),
    facts([
      ['command', part.command],
      ['about', part.subject],
      ...courseFacts(part, part.error),
      ['by', `${part.actor} on ${part.host}`],
      ['sluice', part.tool],
    ]),
    heading('Imports'),
    text(
      'All imports that began during this run, of any table: the catalog does not record which run an import belongs to.',
    ),
    ...(part.imports.length === 0
      ? [text('The catalog has no import that began during this run.')]
      : [
          table(
            ['import', 'table', 'status', 'version', 'files', 'began', 'ended', 'error'],
            part.imports.map((one) => [
              one.run,
              one.table,
              one.status,
              one.version === null ? '-' : String(one.version),
              one.files,
              one.startedAt ?? '',
              one.endedAt ?? '',
              one.error ?? '',
            ]),
          ),
        ]),
    heading('Validations'),
    ...(part.validations.length === 0
      ? [text('This run recorded no validation, so it proves nothing.')]
      : [
          table(
            ['table', 'version', 'checks', 'differences', 'at'],
            part.validations.map((one) => [one.table, String(one.version), one.checks, one.differences, one.at]),
          ),
        ]),
  ]
}

function queueBlocks(part: QueuePart): readonly ReportBlock[] {
  return [
    heading('The shared run in the queue of its workers'),
    text(
      'Row counts are the last ones that the tasks reported, and prove nothing. A report of the run of a task, with --to or --database-url, shows what the ledger or the catalog recorded.',
    ),
    facts([
      ['operation', part.operation],
      ...courseFacts(part, part.error),
      ['from', part.source],
      ['to', part.target],
      ['rows', part.rows],
      ['chunks', part.chunks],
      ['rows and chunks as of', part.countedAt],
      ['command', part.command],
      ['by', `${part.actor} on ${part.host}`],
    ]),
    heading('Slots'),
    table(
      ['slot', 'about', 'state', 'host', 'rows', 'chunks', 'turns', 'run of its last turn', 'exit', 'why'],
      part.slots.map((one) => [
        one.slot,
        one.about,
        one.state,
        one.host ?? '',
        one.rows,
        one.chunks,
        one.turns,
        one.ledgerRun ?? '',
        one.exitCode === null ? '' : String(one.exitCode),
        one.error ?? '',
      ]),
    ),
    ...(part.causes.length === 0
      ? []
      : [
          heading('Tables that failed'),
          table(
            ['table', 'cause', 'do'],
            part.causes.map((one) => [one.table, one.cause, one.hint]),
          ),
        ]),
    ...(part.notes.length === 0
      ? []
      : [
          heading('Notes about tables'),
          table(
            ['table', 'note'],
            part.notes.map((one) => [one.table, one.note]),
          ),
        ]),
    ...(part.refusals.length === 0
      ? []
      : [
          heading('Workers that refuse the run'),
          table(
            ['host', 'why'],
            part.refusals.map((one) => [one.host, one.error]),
          ),
        ]),
  ]
}

function historyBlocks(part: BookPart): readonly ReportBlock[] {
  return [
    heading('The run, as this machine recorded it'),
    text(
      'The run history of this machine is for display only. If it differs from the ledger or the catalog, trust the ledger or the catalog.',
    ),
    facts([
      ['operation', part.kind],
      ['about', part.about],
      ...courseFacts(part, part.error),
      ['from', part.source],
      ['to', part.target],
      ['command', part.command],
      ...Object.entries(part.totals).map(([name, value]) => [name, value] as const),
    ]),
    ...(part.curve.length < 2
      ? []
      : [
          { is: 'curve', title: 'Work over time', points: part.curve } satisfies ReportBlock,
          text(
            `${part.curve.length} samples from ${isoTime(part.curve[0]?.at ?? 0)} to ${isoTime(part.curve.at(-1)?.at ?? 0)}; the last one has ${part.curve.at(-1)?.done ?? 0} done.`,
          ),
        ]),
  ]
}

const heading = (words: string): ReportBlock => ({ is: 'heading', text: words })
const text = (words: string): ReportBlock => ({ is: 'text', text: words })
const table = (head: readonly string[], rows: readonly (readonly string[])[]): ReportBlock => ({
  is: 'table',
  head,
  rows,
})

/** Table of names and values; unknown values are left out. */
function facts(pairs: readonly (readonly [string, string | null])[]): ReportBlock {
  return table(
    ['', ''],
    pairs.flatMap(([name, value]) => (value === null || value === '' ? [] : [[name, value]])),
  )
}

function counts(chunks: Readonly<Record<string, string>>): string {
  return Object.entries(chunks)
    .map(([status, count]) => `${count} ${status}`)
    .join(', ')
}

function sums(all: readonly Readonly<Record<string, string>>[]): Readonly<Record<string, number>> {
  const sum: Record<string, number> = {}
  for (const one of all) for (const [name, value] of Object.entries(one)) sum[name] = (sum[name] ?? 0) + Number(value)
  return sum
}

function barsOf(values: Readonly<Record<string, number>>): readonly Bar[] {
  return Object.entries(values).map(([label, value]) => ({ label, value }))
}

function timeText(ms: number): string {
  return ms < 1000 ? `${ms} ms` : `${Number((ms / 1000).toFixed(1))} s`
}
