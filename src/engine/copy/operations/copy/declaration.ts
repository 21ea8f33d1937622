import { STREAM_CAUSES, type AlertOptions } from '../../../../model/run/alert.ts'
import type { PeriodOptions, TimeRange } from '../../../../model/copy/period-marks.ts'
import type { OnExisting } from '../../../../model/copy/plan.ts'
import type { ObjectOptions } from '../../../../model/copy/schema-object.ts'
import type { FollowOptions, PairedTables, ScriptOptions } from './option-types.ts'
import { alertOptions, formsText } from '../../../run/operations/alert-options.ts'
import type { Declaration } from '../../../run/operations/declaration.ts'
import { inGroup } from '../../../run/operations/option.ts'
import {
  OTHER_TOOLS,
  CASSANDRA,
  DECIMALS,
  ENDS,
  ON_EXISTING,
  PROOFS,
  PROVE_EVERY,
  LANES,
  RESYNC,
  RING,
  SELECTION,
  TRACK,
  UNTIL_EQUAL,
  WRITING,
  COPY_CAUSES,
  FOLLOW_CAUSES,
  CHUNK_ROWS,
  ROW_RATE,
} from './options.ts'
import { BETWEEN_OPTION, PLAN_ONLY } from '../../../run/operations/shared-options.ts'
import { PAGES } from '../../../run/operations/pages.ts'

const WRITTEN = 'How it is written:'
const PROVED = 'How it is proved:'
const AGAIN = 'Resuming and repeating:'
const FOLLOWED = 'Changes of the source:'

export type CopyOperation = PairedTables & {
  readonly kind: 'copy'
  readonly onExisting: OnExisting
  readonly acceptLossy: readonly string[]
  /** Do not refuse lossy columns. Set by `diff`, which compares values in types that both sides can store. */
  readonly acceptAllLossy?: true
  /** Type of decimals in tables created in SQLite or D1; default: by their precision. */
  readonly decimal?: (typeof DECIMALS)[number]
  readonly verify: (typeof PROOFS)[number]
  /** Rows of a chunk; default: by the size of the table. */
  readonly chunkRows?: number
  /** Rows per write; default: by the target. */
  readonly batchRows?: number
  /** Rows per second. */
  readonly rate?: number
  /** This job's share of the chunks, where several jobs split a copy. */
  readonly part?: { readonly no: number; readonly of: number }
  /** Maximum number of quarantined rows of a table; with more, the table is given up. */
  readonly maxAside: number
  /** Do not count the rows of chunks that earlier runs completed. */
  readonly noLook?: true
  /** Tables whose differing counts of earlier chunks are accepted, by their names in the source or the target. */
  readonly acceptDifference?: readonly string[]
  readonly restart: boolean
  /** Compare all chunks of earlier runs on both sides, and write differing rows. */
  readonly again?: true
  /** As `again`, if earlier runs copied everything: the Cassandra Data Migrator reads everything on each start. */
  readonly againWhenDone?: true
  /** With `again`: remove rows that the source does not have. */
  readonly deleteExtra?: true
  /** Table from which `deleteExtra` may remove more rows than without confirmation. */
  readonly confirm?: string
  readonly dryRun: boolean
  /** After the copy, apply changes of the source until the run is asked to stop. */
  readonly follow?: FollowOptions
  /** Objects created in the target once the rows are copied; default: none. */
  readonly with?: readonly ObjectOptions[]
  /** Copy the table period by period; the row key begins with the column of the periods. Set by `partition run`. */
  readonly periods?: PeriodOptions
  /** With `periods`: copy only chunks with rows of this time span; default: all chunks. */
  readonly span?: TimeRange
  /** Work as the parallel script for Cassandra does: sum up the tables at the end. */
  readonly script?: ScriptOptions
  /** Alerts of a copy without a stream. */
  readonly alert?: AlertOptions
}

export const COPY_EVENTS = [
  'plan.ready',
  'copy.started',
  'table.finished',
  'run.steered',
  'table.steered',
  'chunk.started',
  'chunk.progress',
  'chunk.retried',
  'chunk.done',
  'chunk.skipped',
  'chunks.summary',
  'chunk.failed',
  'chunk.released',
  'look.progress',
  'look.difference',
  'partition.landed',
  'index.started',
  'index.done',
  'index.failed',
  'row.aside',
  'rows.fallback',
  'copy.summary',
  'throttle.on',
  'throttle.off',
  'target.latency',
  'run.tracked',
  'run.counted',
  'difference',
  'diff.progress',
  'diff.range',
  'follow.started',
  'follow.table',
  'follow.progress',
  'follow.counted',
  'follow.proved',
  'follow.halted',
  'alert',
  'log',
] as const

export const copy: Declaration<CopyOperation, (typeof COPY_EVENTS)[number]> = {
  kind: 'copy',
  command: {
    ...PAGES.copy,
    takes: [
      ...ENDS,
      ...SELECTION,
      {
        name: 'with',
        group: WRITTEN,
        type: 'list',
        commas: true,
        choices: ['indexes', 'constraints', 'defaults', 'all'],
        shown: 'rows, primary keys and NOT NULL only',
        describe:
          'objects to create after the rows are copied: indexes, constraints (unique, check, foreign keys), defaults, or all; comma-separated; repeatable',
      },
      {
        name: 'settings',
        group: OTHER_TOOLS,
        type: 'text',
        completes: 'file',
        describe:
          'work like the parallel script for Cassandra, with its migrator_settings.yaml; also writes migrator.log',
      },
      {
        name: 'preset',
        group: OTHER_TOOLS,
        type: 'choice',
        choices: ['small', 'medium', 'large', 'unstable', 'auto'],
        shown: 'medium, where --settings is given',
        describe:
          'settings of the parallel script for tables of this size; auto measures the size. Values of the --settings file take precedence',
      },
      {
        name: 'on-existing',
        group: WRITTEN,
        type: 'choice',
        choices: ON_EXISTING,
        fallback: 'refuse',
        config: 'shown',
        describe:
          'if the target already has rows: refuse, overwrite rows with an equal key (upsert), remove all rows, those in the range of each chunk before it is written (replace-range), or append',
      },
      {
        name: 'accept-lossy',
        group: WRITTEN,
        type: 'list',
        shown: 'none',
        completes: 'column',
        describe:
          'column that may lose values in the target type: COLUMN of every table, or TABLE.COLUMN of one; repeatable',
      },
      {
        name: 'decimal',
        group: WRITTEN,
        type: 'choice',
        choices: DECIMALS,
        shown: 'real up to 15 digits, else text',
        describe:
          'type of decimals in tables that are created in SQLite and D1: text keeps every digit and compares as text, real keeps 15 digits',
      },
      {
        name: 'verify',
        group: PROVED,
        type: 'choice',
        choices: PROOFS,
        default: 'chunk',
        config: 'default',
        describe: 'proof of every chunk: count and checksum of its rows (chunk), only the count (count), or none',
      },
      { ...CHUNK_ROWS, group: PROVED },
      {
        name: 'batch-size',
        group: WRITTEN,
        type: 'number',
        unit: 'rows',
        shown: 'by the target',
        describe: 'rows per write',
      },
      { ...ROW_RATE, group: WRITTEN },
      {
        name: 'part',
        group: AGAIN,
        type: 'text',
        describe: 'i/n: copy only the chunks of job i, if n jobs share a copy',
      },
      {
        name: 'max-aside',
        group: WRITTEN,
        type: 'number',
        unit: 'rows',
        fallback: 1000,
        config: 'shown',
        describe: 'maximum quarantined rows of a table; with more, it fails',
      },
      {
        name: 'resume',
        group: AGAIN,
        type: 'flag',
        default: false,
        describe: 'resume where a copy stopped; this is also the default',
      },
      {
        name: 'look',
        group: PROVED,
        type: 'flag',
        default: true,
        describe:
          'before the copy ends, count the rows of chunks that earlier runs proved, on both sides; --no-look skips this',
      },
      {
        name: 'accept-difference',
        group: PROVED,
        type: 'list',
        shown: 'none',
        completes: 'table',
        describe:
          'accept the current row counts of a table whose proved chunks have changed; recorded with date and user; repeatable',
      },
      {
        name: 'restart',
        group: AGAIN,
        type: 'flag',
        default: false,
        describe:
          'copy everything again; existing rows of the target are kept, but with --follow the target tables are emptied first',
      },
      {
        name: 'again',
        group: AGAIN,
        type: 'flag',
        default: false,
        describe:
          'compare every chunk of earlier runs on both sides and write what differs, as diff --fix does; diff --undo reverts it',
      },
      {
        name: 'delete-extra',
        group: WRITTEN,
        type: 'flag',
        default: false,
        describe: 'with --again: delete target rows that the source lacks; above 1000 per table needs --confirm=TABLE',
      },
      {
        name: 'confirm',
        group: WRITTEN,
        type: 'text',
        completes: 'table',
        shown: 'none',
        describe: 'name of the table from which more than 1,000 rows may be deleted',
      },
      {
        name: 'follow',
        group: FOLLOWED,
        type: 'flag',
        default: false,
        describe:
          'after the copy, apply changes of the source until stopped; the same command resumes (PostgreSQL with logical replication)',
      },
      {
        name: 'until-caught-up',
        group: FOLLOWED,
        type: 'flag',
        default: false,
        describe: 'with --follow: end once all changes up to the end of the copy are applied',
      },
      ...inGroup(FOLLOWED, [UNTIL_EQUAL, PROVE_EVERY, LANES, RESYNC]),
      ...alertOptions(`${formsText(COPY_CAUSES)}; with --follow also ${formsText(STREAM_CAUSES)}`),
      {
        name: 'fire-triggers',
        group: FOLLOWED,
        type: 'flag',
        default: false,
        describe: 'with --follow: triggers of the target also fire for changes of the source',
      },
      {
        name: 'cdc',
        group: FOLLOWED,
        type: 'text',
        choices: ['slot', 'trigger'],
        describe:
          'with --follow: capture changes with a replication slot, or with triggers on the source tables (SQLite, MySQL, MariaDB, and PostgreSQL without wal_level=logical); cannot be changed later (default: slot)',
      },
      ...RING,
      ...TRACK,
      ...CASSANDRA,
      ...WRITING,
      PLAN_ONLY,
      { ...BETWEEN_OPTION, group: 'Options:' },
      {
        name: 'zone',
        type: 'text',
        group: 'Options:',
        describe: 'time zone of --between, such as Europe/Berlin; else the zone of this machine',
      },
    ],
    first: ['from', 'to', 'table', 'tables', 'where', 'workers', 'with', 'on-existing', 'follow', 'dry-run'],
    epilogue:
      'Each chunk is compared on both sides before it counts as copied. The same command resumes a copy that stopped or was killed.\n',
    notes:
      'Without --from or --to, the variables of the resumable migration script apply: DATABASE_URL, ' +
      'CLOUDFLARE_ACCOUNT_ID with D1_DATABASE_ID, TABLE_NAME, CHECKPOINT_SIZE (50000), BATCH_SIZE, and ' +
      'RESUME_MODE=false for --restart; rows with an equal key are then overwritten (--on-existing upsert). ' +
      'Flags take precedence. The token of D1 is CLOUDFLARE_API_TOKEN.\n',
  },
  display: 'long',
  doing: 'copying',
  stores: [
    { field: 'from', family: 'database', access: 'read', end: 'source' },
    { field: 'to', family: 'database', access: 'write', end: 'target' },
  ],
  about: 'tables',
  destroys: [{ what: 'rows of the target that the source does not have', when: 'deleteExtra', confirm: 'confirm' }],
  plans: 'dryRun',
  distributes: {
    by: 'chunks',
    unless: ['again', 'againWhenDone', 'follow', 'part', 'restart'],
    field: 'tables',
    stream: 'follow',
  },
  alerts: { causes: FOLLOW_CAUSES, how: ['cassandra'] },
  comesAgain: 'again',
  endless: ['follow'],
  events: COPY_EVENTS,
}
