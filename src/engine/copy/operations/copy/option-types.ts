/** Groups of options for copies and comparisons: token rings, Cassandra, and the tools that sluice replaces. */
import type { CodecOptions } from '../../../../model/copy/codec.ts'
import type { Cdc } from '../../../../model/follow/port.ts'
import type { AlertOptions } from '../../../../model/run/alert.ts'
import type { ScriptSizes } from '../../../../model/copy/script-presets.ts'

export type ScriptOptions = {
  /** Sizes that the user left open, chosen by the size of the largest table. */
  readonly auto?: readonly (keyof ScriptSizes)[]
}

export type RingOptions = {
  /** Number of ranges of a table; default: by the size of the table. */
  readonly splits?: number
  /** Smallest and largest token, both inclusive, as texts. */
  readonly min?: string
  readonly max?: string
  /** Percent of each range that is read, from its beginning: 1 to 100. */
  readonly coverage?: number
  /**
   * Only these ranges, which a run of another tool did not complete. Both bounds are inclusive, as texts. The ranges
   * are not divided further.
   */
  readonly ranges?: readonly { readonly min: string; readonly max: string }[]
}

export type TrackOptions = {
  /** Only ranges that this earlier run left NOT_STARTED, STARTED, FAIL or DIFF; the new run refers to that run. */
  readonly previous?: string
  /** Continue the latest run if it did not end, or has failed ranges. */
  readonly autoRerun?: true
  /** Number of the run in `cdm_run_info`; default: the id of the run. */
  readonly runId?: string
}

export type CassandraOptions = {
  readonly readConsistency?: string
  readonly writeConsistency?: string
  /** A write that fails at its consistency level is repeated at ONE, reported, and listed to be checked again. */
  readonly fallBackToOne?: true
  /** Rows of one batch; a batch holds rows of one partition only. */
  readonly batchRows?: number
  /** Rows of one page. */
  readonly pageRows?: number
  /** TTL of every row in seconds, instead of the source's. */
  readonly ttl?: number
  /** Write time of every row in microseconds since 1970, instead of the source's. */
  readonly writetime?: string
  /** Write values without their write times and TTLs. */
  readonly dropStamps?: true
  /** Columns of the target: all values of a row get the latest of their write times, as CDM's `writetime.names`. */
  readonly timesOf?: readonly string[]
  /** Columns of the target: all values of a row get the longest of their TTLs, as CDM's `ttl.names`. */
  readonly livesOf?: readonly string[]
}

/** Tables of a source and a target that are copied or compared, and how target rows are made from source rows. */
export type PairedTables = {
  /** URLs of the stores. */
  readonly from: string
  readonly to: string
  /** Names or patterns of tables of the source. */
  readonly tables: readonly string[]
  /** Names or patterns of tables that are left out, although `tables` names them; default: none. */
  readonly exclude?: readonly string[]
  /** Schema for new tables in the target; default: that of the source. */
  readonly toSchema?: string
  readonly columns?: readonly string[]
  /** Names of columns in the target, by their names in the source. */
  readonly rename: Readonly<Record<string, string>>
  /** Name of the table in the target, if there is one table. */
  readonly toTable?: string
  readonly where?: string
  readonly key?: readonly string[]
  readonly workers: number
  /** Part of the token ring, and number of ranges; default: the whole ring. */
  readonly ring?: RingOptions
  /** Columns of the target that get the same value in every row, by name, as texts. */
  readonly constants?: Readonly<Record<string, string>>
  /** A map column of the source whose entries each become a row, and the columns for key and value. */
  readonly explodeMap?: { readonly column: string; readonly key: string; readonly value: string }
  /** Conversions between a number or a timestamp and a text, by the types of both columns; default: none. */
  readonly codecs?: CodecOptions
  /** Record runs in `cdm_run_info` and `cdm_run_details`, as the Cassandra Data Migrator does. */
  readonly track?: TrackOptions
  /** Also print log lines in the format of the Cassandra Data Migrator. */
  readonly cdmLines?: true
  /** Options for writing and reading Cassandra; default: the options in its URL, then general defaults. */
  readonly cassandra?: CassandraOptions
}

export type FollowOptions = {
  /**
   * `caught-up`: ends once every table has the rows that the source had when the run began to apply changes. `equal`:
   * ends once every row was found equal in one snapshot of both sides. `signOff`: ends once the result of the
   * comparison that the ledger requests is recorded. Absent: runs until it is stopped.
   */
  readonly until?: 'caught-up' | 'equal' | { readonly signOff: string }
  /** Writers of the tables wait while the replication slot is created. */
  readonly quiesce?: true
  /** Ms between two comparisons of all rows; absent: none. */
  readonly proveEveryMs?: number
  /** Alerts for lag, for log that the source must retain, and for errors. */
  readonly alert?: AlertOptions
  /** Copy nothing: apply changes to existing rows. For streams of `partition run`. */
  readonly changesOnly?: true
  /**
   * Number of apply workers: sessions that apply changes at the same time. Absent: as many as the stream has; 1 for a
   * new stream.
   */
  readonly lanes?: number
  /** Tables of the stream that are emptied and copied again while the others keep their rows. */
  readonly resync?: readonly string[]
  /** Continue with this target, although its address or its database differs from the one recorded at the source. */
  readonly moved?: true
  /** Triggers of the target also fire for applied changes. */
  readonly fireTriggers?: true
  /** How the source reports changes; absent: as the stream began, or by a replication slot. */
  readonly cdc?: Cdc
}
