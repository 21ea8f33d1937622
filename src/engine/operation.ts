/**
 * What a user can start, as data. A face (command line, UI, thread) makes an `Operation`, `perform` runs it and emits events;
 * the events, and nothing else, are what a face shows.
 */
import type { AccessLevel } from '../catalog/access-level.ts'
import type { CodecWish } from '../model/copy/codec.ts'
import type { OnExisting } from '../model/copy/plan.ts'
import type { ScriptSizes } from '../model/copy/script-presets.ts'
import type { ObjectWish } from '../model/copy/schema-object.ts'
import type { Interrupt } from '../shared/abort.ts'
import type {
  ArchiveAdoptOperation,
  ArchiveHoldOperation,
  ArchiveListOperation,
  ArchiveOperation,
  ArchiveSweepOperation,
  ArchiveVerifyOperation,
  QueryOperation,
  RestoreOperation,
} from './archive-operations.ts'
import type { RowFormat } from './row-format.ts'
import type { Clock } from '../shared/clock.ts'
import type { Emit, EventBody } from '../model/event.ts'

export type { RowFormat } from './row-format.ts'

export type CheckFiles = 'none' | 'sample' | 'all'

/**
 * Checkpoints of an exported log: none; that of the version where the catalog begins, without which its commits cannot be read;
 * or that one and another of the latest version.
 */
export type ExportedCheckpoint = 'none' | 'base' | 'latest'

/** Rights that a login may get on a catalog. */
export type GrantedRole = AccessLevel

export type AsOf = { readonly version?: number; readonly timestampMs?: number }

/** TABLE is a path with a `_delta_log` below it, or a table id of the catalog. */
export type Operation =
  | {
      readonly kind: 'discover'
      readonly path: string
      readonly recursive: boolean
      readonly exclude: readonly string[]
    }
  | {
      readonly kind: 'import'
      readonly table: string
      readonly catalog: string
      readonly tableId?: string
      readonly dryRun: boolean
      readonly resume: boolean
      readonly batchSize: number
      readonly verbose: boolean
      /** Import the actions of a table whose features we cannot read; it is marked as refused. */
      readonly allowRefused: boolean
      /** How long to wait for another import of the same table, ms. */
      readonly waitMs: number
    }
  | {
      readonly kind: 'batch-import'
      readonly path: string
      readonly catalog: string
      readonly recursive: boolean
      readonly exclude: readonly string[]
      readonly parallel: number
      readonly batchSize: number
      readonly dryRun: boolean
      readonly resume: boolean
      readonly verbose: boolean
      /** Only these tables (paths below `path`), as the UI marks them; absent means all. */
      readonly only?: readonly string[]
    }
  | {
      readonly kind: 'validate'
      readonly table: string
      readonly catalog: string
      readonly verbose: boolean
      /** Older versions to check beside the latest. */
      readonly samples: number
      /** Checkpoints to compare at most; absent means all. */
      readonly checkpoints?: number
    }
  | {
      readonly kind: 'performance-compare'
      readonly table: string
      readonly catalog: string
      readonly runs: number
      readonly report?: string
      readonly questions?: readonly string[]
      readonly cold: boolean
      /** Simulated latency of every request to the lake and of every round trip to a database on a network, ms. */
      readonly latencyMs?: number
    }
  | { readonly kind: 'migration-status'; readonly catalog: string; readonly tableId?: string }
  | {
      readonly kind: 'verify-rollback'
      readonly table: string
      readonly catalog: string
      readonly checkFiles: CheckFiles
    }
  | {
      readonly kind: 'rollback'
      readonly table: string
      readonly catalog: string
      readonly confirm?: string
      readonly checkFiles: CheckFiles
      readonly dryRun: boolean
    }
  | { readonly kind: 'history'; readonly table: string; readonly catalog?: string; readonly limit: number }
  | {
      readonly kind: 'files'
      readonly table: string
      readonly catalog?: string
      readonly asOf: AsOf
      readonly where?: string
      readonly limit?: number
    }
  | {
      readonly kind: 'changes'
      readonly table: string
      readonly catalog?: string
      readonly fromVersion: number
      readonly toVersion: number
    }
  /** Whether data files, deletion vectors and footers are what the log says. */
  | {
      readonly kind: 'fsck'
      readonly table: string
      /** Active files come from its rows where it holds the table. */
      readonly catalog?: string
      readonly asOf: AsOf
      /** Read all rows back too. */
      readonly deep: boolean
      /** Files to open, drawn by the seed; all when absent. */
      readonly sample?: number
      readonly seed: string
      /** Only files that a later version added. */
      readonly since?: number
      /** Look at files outside the table root too, as shallow clones have them. */
      readonly outside: boolean
    }
  | {
      readonly kind: 'export-log'
      readonly table: string
      readonly catalog: string
      readonly to: string
      /** Which checkpoints to write; `base` when absent. */
      readonly checkpoint?: ExportedCheckpoint
    }
  | {
      readonly kind: 'sync'
      /** None stands for all tables of the catalog. */
      readonly tables: readonly string[]
      readonly catalog: string
      /** Go on until stopped. */
      readonly watch: boolean
      /** How often every log is looked at while watching, ms. */
      readonly intervalMs: number
      readonly batchSize: number
      readonly parallel: number
    }
  | {
      readonly kind: 'prune'
      /** None stands for all tables of the catalog. */
      readonly tables: readonly string[]
      readonly catalog: string
      /** So many versions, or all that were the latest within so many ms. */
      readonly keep: { readonly versions: number } | { readonly forMs: number }
      readonly dryRun: boolean
    }
  | {
      readonly kind: 'sql'
      readonly query: string
      readonly catalog: string
      /** Rows to give. */
      readonly limit: number
      /** How a headless face writes rows. */
      readonly format: RowFormat
      readonly timeoutMs?: number
    }
  | {
      readonly kind: 'index'
      readonly table: string
      /** As a condition names them. */
      readonly columns: readonly string[]
      readonly catalog: string
      /** Take their ranges away. */
      readonly drop: boolean
    }
  | { readonly kind: 'runs'; readonly catalog: string; readonly limit: number }
  /** Copies into a database, by its ledger; the chunks of one of them where its id is given. */
  | { readonly kind: 'copy-runs'; readonly to: string; readonly limit: number; readonly runId?: string }
  | {
      readonly kind: 'grants'
      readonly catalog: string
      readonly role: GrantedRole
      /** Name of the role or user, as the database spells it; `name@host` for MySQL. */
      readonly to: string
      readonly apply: boolean
    }
  | { readonly kind: 'doctor'; readonly catalog?: string; readonly path?: string }
  | CopyOperation
  | DiffOperation
  | ArchiveOperation
  | ArchiveListOperation
  | ArchiveVerifyOperation
  | ArchiveSweepOperation
  | ArchiveHoldOperation
  | ArchiveAdoptOperation
  | RestoreOperation
  | QueryOperation
  /** Takes back what `diff --fix` changed. */
  | {
      readonly kind: 'diff-undo'
      /** Of the diff that mended. */
      readonly runId: string
      readonly to: string
      /** Names of tables of the target; none stands for all that it mended. */
      readonly tables: readonly string[]
    }
  /** Tables of a database. */
  | { readonly kind: 'discover-database'; readonly url: string; readonly tables: readonly string[] }
  /** How the rows of tables lie on their ring of tokens. */
  | {
      readonly kind: 'tokens'
      readonly from: string
      /** Names or patterns. */
      readonly tables: readonly string[]
      /** Equal parts of the ring that are told apart. */
      readonly splits: number
      /** Windows of it that are looked at. */
      readonly sample: number
      /** The same seed looks at the same windows. */
      readonly seed: string
    }
  | {
      readonly kind: 'retry-quarantine'
      /** Rows of this run only; all of them when absent. */
      readonly runId?: string
      /** The source; as the run has noted it when absent. */
      readonly from?: string
      readonly to: string
      /** Only rows of this table of the target. */
      readonly table?: string
    }

export type CopyOperation = {
  readonly kind: 'copy'
  /** URLs of the stores. */
  readonly from: string
  readonly to: string
  /** Names or patterns of tables of the source. */
  readonly tables: readonly string[]
  /** Schema of the target that new tables go to; that of the source when absent. */
  readonly toSchema?: string
  readonly columns?: readonly string[]
  /** New names of columns, and of tables where only one is copied, by old ones. */
  readonly rename: Readonly<Record<string, string>>
  /** Name of the table in the target, where one table is copied. */
  readonly toTable?: string
  readonly where?: string
  readonly key?: readonly string[]
  readonly onExisting: OnExisting
  readonly acceptLossy: readonly string[]
  /** A comparison judges what the columns can hold in common. */
  readonly acceptAllLossy?: true
  /** What decimals become in tables that are made in SQLite or D1; by their precision when absent. */
  readonly decimal?: 'text' | 'real'
  readonly verify: 'chunk' | 'count' | 'none'
  /** Rows of a chunk; by the size of the table when absent. */
  readonly chunkRows?: number
  /** Rows that are written at once; by the target when absent. */
  readonly batchRows?: number
  readonly workers: number
  /** Rows a second. */
  readonly rate?: number
  /** This job's share of the chunks, where several jobs split a copy. */
  readonly part?: { readonly no: number; readonly of: number }
  /** Rows of a table that may be set aside before the table is given up. */
  readonly maxAside: number
  /** Chunks of earlier runs are believed: this run does not count their rows. */
  readonly noLook?: true
  /** Tables whose differences in the counts of earlier chunks are accepted, by their names in the source or the target. */
  readonly acceptDifference?: readonly string[]
  readonly restart: boolean
  /** Compares every chunk that earlier runs have copied once more, and writes what differs. */
  readonly again?: true
  /** As `again`, where earlier runs have copied everything: the Cassandra Data Migrator reads everything whenever it is started. */
  readonly againWhenDone?: true
  /** With `again`: removes rows that the source has not. */
  readonly deleteExtra?: true
  /** Name of the table of which more rows may be removed than go without asking. */
  readonly confirm?: string
  readonly dryRun: boolean
  /** What is made in the target beside rows, when they are there; nothing when absent. */
  readonly with?: readonly ObjectWish[]
  /** Which part of a ring of tokens is copied, and in how many pieces; all of it when absent. */
  readonly ring?: RingWish
  /** Columns of the target that get the same value in every row, by name, as texts. */
  readonly constants?: Readonly<Record<string, string>>
  /** A map column of the source of which every entry becomes a row of its own, and the columns that key and value go to. */
  readonly explodeMap?: { readonly column: string; readonly key: string; readonly value: string }
  /** Conversions between a number or a moment and a text, by the types of both columns; none when absent. */
  readonly codecs?: CodecWish
  /** Runs are told in `cdm_run_info` and `cdm_run_details`, as the Cassandra Data Migrator does. */
  readonly track?: TrackWish
  /** Told in the lines of the Cassandra Data Migrator too, as those who came with its files expect. */
  readonly cdmLines?: true
  /** How Cassandra is written to and read; what its URL and the defaults say when absent. */
  readonly cassandra?: CassandraWish
  /** Goes as the parallel script for Cassandra goes: sums up its tables at the end. */
  readonly script?: ScriptWish
}

export type ScriptWish = {
  /** What nobody has set, and the size of the largest table decides. */
  readonly auto?: readonly (keyof ScriptSizes)[]
}

export type RingWish = {
  /** Ranges of a table; by its size when absent. */
  readonly splits?: number
  /** Smallest and largest token, both included, as texts. */
  readonly min?: string
  readonly max?: string
  /** 1 to 100: how much of the beginning of each range is read. */
  readonly coverage?: number
  /** Only these, both ends included, as texts: what a run of another tool has left. They are cut no more. */
  readonly ranges?: readonly { readonly min: string; readonly max: string }[]
}

export type TrackWish = {
  /** Only what this run left NOT_STARTED, STARTED, FAIL or DIFF; the new run names it. */
  readonly previous?: string
  /** Goes on with the latest run, where that did not end well. */
  readonly autoRerun?: true
  /** Its number there; that of the run when absent. */
  readonly runId?: string
}

export type CassandraWish = {
  readonly readConsistency?: string
  readonly writeConsistency?: string
  /** Where a write cannot be had at its level it is done at ONE, told, and listed to be checked again. */
  readonly fallBackToOne?: true
  /** Rows of one batch; batches hold rows of one partition only. */
  readonly batchRows?: number
  /** Rows of one page. */
  readonly pageRows?: number
  /** Seconds that every row lives, instead of what the source says. */
  readonly ttl?: number
  /** Microseconds since 1970 that every row is written with, instead of what the source says. */
  readonly writetime?: string
  /** Values are written without their times. */
  readonly dropStamps?: true
  /** Columns of the target: every value of a row is written at the latest of their times, as CDM's `writetime.names` has it. */
  readonly timesOf?: readonly string[]
  /** The same for how long values live: the longest of these, as `ttl.names` has it. */
  readonly livesOf?: readonly string[]
}

export type DiffOperation = {
  readonly kind: 'diff'
  readonly from: string
  readonly to: string
  readonly tables: readonly string[]
  readonly toSchema?: string
  readonly toTable?: string
  readonly columns?: readonly string[]
  readonly rename: Readonly<Record<string, string>>
  readonly where?: string
  readonly key?: readonly string[]
  readonly workers: number
  /** Differences that are named; all are counted. */
  readonly limit: number
  /** Make the target hold what the source holds. */
  readonly fix: boolean
  /** With `fix`: remove rows that the source has not. */
  readonly deleteExtra: boolean
  /** With `fix`: mend only what is missing, or only what is different. */
  readonly fixOnly?: 'missing' | 'different'
  /** With `fix`: rows of counters that the target has not are counted up there. Those that differ are mended without it. */
  readonly fixCounters?: true
  /** With `fix`: values that were written later in the target than in the source are written over. */
  readonly overwriteNewer?: true
  readonly ring?: RingWish
  readonly constants?: Readonly<Record<string, string>>
  readonly explodeMap?: NonNullable<CopyOperation['explodeMap']>
  readonly codecs?: CodecWish
  readonly track?: TrackWish
  readonly cdmLines?: true
  readonly cassandra?: CassandraWish
}

export type OperationKind = Operation['kind']

/** What is asked of one table of a copy, or of one of its chunks, while it runs. */
export type TableWish = {
  /** `pause`: nothing of it begins until `resume`. `skip`: this run leaves it out. `retry`: what failed of it is tried again. */
  readonly act: 'pause' | 'resume' | 'skip' | 'retry'
  readonly table: string
  /** Number of the chunk; all of the table when absent. */
  readonly chunk?: string
}

/** What a person asks of a copy while it runs. */
export type Wish =
  | TableWish
  | { readonly act: 'hold'; readonly held: boolean }
  /** After the chunks that run. */
  | { readonly act: 'stop' }
  | { readonly act: 'workers'; readonly workers: number }
  /** Rows a second; null for no limit. */
  | { readonly act: 'rate'; readonly rate: number | null }

/** What a person turns while a run goes on; read between batches. */
export type RunControl = {
  readonly paused: boolean
  /** Lanes that may work now, or null for what the operation says. */
  readonly lanes: number | null
  /** Where wishes come one by one: a copy hears them here, those before its listener too, and reads none of the values above. */
  readonly onWish?: (listener: (wish: Wish) => void) => void
}

/** What an operation needs besides its own data. */
export type OperationContext = {
  readonly emit: Emit
  readonly interrupt: Interrupt
  readonly clock: Clock
  /** Version of this tool, for commitInfo, audit and run.started. */
  readonly tool: string
  /** Who runs it, for the audit: user name and host. */
  readonly actor: string
  readonly host: string
  /** The command line that does the same, without secrets: printed as the resume command. */
  readonly commandLine: string
  readonly control?: RunControl
  /** Resolves when what was emitted has been written: long lists wait for it now and then, or a slow reader would have them in memory. */
  readonly drained?: () => Promise<void>
}

export type RunFinished = Extract<EventBody, { type: 'run.finished' }>
