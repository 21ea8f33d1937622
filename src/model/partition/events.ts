/** Events of partition maintenance: state, creation, alarms. */
import type { Dec, Int, Ms } from '../run/dec.ts'

/** A table and its partitioning, sent before its partitions. Bounds and days as their system prints them. */
export type PartitionedEvent = {
  type: 'partition.table'
  table: string
  by: string
  /** Calendar in the form of `--calendar` and its options; absent if the bounds follow no calendar. */
  calendar?: string
  /** Source of the calendar, as text: the options, or the bounds of some of the newest partitions. */
  calendarFrom?: string
  partitions: Dec
  /** True if there is a default partition. */
  hasDefault: boolean
  /**
   * Upper bound of the partitions that follow each other without a gap from now on; absent if no partition contains
   * now, or if there is no upper bound.
   */
  coveredTo?: string
  /** Set if the last partition has no upper bound. */
  isOpen?: boolean
  /** Another tool that creates its partitions. */
  keptBy?: string
}

/**
 * `future`: not begun. `current`: contains now. `hot`: ended, not due. `due`: older than the limit. `archived`: rows
 * are in an archive, not in the table. `held`: kept on request. `default`: the default partition. `open`: without an
 * upper or lower bound. `missing`: required, but does not exist.
 */
export type PartitionState = 'future' | 'current' | 'hot' | 'due' | 'archived' | 'held' | 'default' | 'open' | 'missing'

/** One partition, attached or archived. */
export type PartitionEvent = {
  type: 'partition'
  table: string
  partition: string
  /** Its name in the calendar. */
  label?: string
  from?: string
  to?: string
  state: PartitionState
  rows?: Dec
  /** False if the rows were counted. */
  estimated: boolean
  bytes?: Dec
  /** Whole periods since its end; 0 for the period before the current one. */
  age?: Int
  note?: string
}

export type PartitionAlarm = 'none ahead' | 'overlap' | 'gap' | 'rows in the default' | 'left over' | 'not given'

/** A current condition that needs the user's attention. */
export type PartitionAlarmEvent = {
  type: 'partition.alarm'
  table: string
  alarm: PartitionAlarm
  partition?: string
  from?: string
  to?: string
  rows?: Dec
  detail: string
  hint?: string
}

/** State of a table after its inspection, sent after its alarms. */
export type PartitionStandsEvent = {
  type: 'partition.stands'
  table: string
  /** `ahead`: required periods after the current one. `missing`: number of required periods without a partition. */
  ahead: Dec
  missing: Dec
  /** Rows in the default partition; absent if they were not counted. */
  defaultRows?: Dec
}

/** A partition that was created, or with `--dry-run` would be. */
export type PartitionMadeEvent = {
  type: 'partition.made'
  table: string
  partition: string
  label: string
  from: string
  to: string
  /** `found`: created by another program meanwhile. */
  status: 'planned' | 'made' | 'found'
  /** Rows moved out of the default partition. */
  moved?: Dec
}

/** Progress of the creation; may be dropped if the reader is slow. */
export type PartitionProgressEvent = {
  type: 'partition.progress'
  table: string
  step: 'making' | 'logging' | 'copying' | 'following' | 'switching'
  rows: Dec
  total?: Dec
}

/** Longest wait of other sessions, sent at the end. */
export type PartitionWaitsEvent = {
  type: 'partition.waits'
  table: string
  longestMs: Ms
  tries: Int
  /** Rows of the default partition whose checksum was compared before the new tables replaced it. */
  proved?: Dec
}

/** All chunks of a partition, or of a slice of one, are copied and proved. */
export type PartitionLandedEvent = {
  type: 'partition.landed'
  /** The table that is copied. */
  table: string
  /** The partition of the new table. */
  partition: string
  label?: string
  /** Its week or month; absent for a whole partition. */
  slice?: string
  rows: Dec
  chunks: Dec
  /** Proof of each chunk: row count and checksum, or row count only. */
  proof: 'chunk' | 'count'
  /** Time since its first chunk in this run. */
  ms?: Ms
  /** Set if its last chunk was proved by an earlier run. */
  earlier?: true
}

/**
 * Progress of the first partition in copy order that is not complete, the speed of the whole copy, and the speed that
 * the window requires.
 */
export type PartitionPaceEvent = {
  type: 'partition.pace'
  table: string
  partition: string
  rows: Dec
  /** Estimated number of rows in the partition. */
  total: Dec
  bytesPerHour: Dec
  /** Speed needed to copy the rest of this partition before the window ends; absent without a window. */
  neededPerHour?: Dec
  /** Time until the window ends; absent without a window. */
  leftMs?: Ms
}

/** A finding of the partition plan for a table. */
export type PartitionFindingEvent = {
  type: 'partition.finding'
  table: string
  /** `refused`: prevents partitioning. `changes`: altered by it. `made`: recreated unchanged. `fine`: nothing to do. */
  verdict: 'refused' | 'changes' | 'made' | 'fine' | 'not looked'
  /** Its kind, such as `foreign key` or `rows without a time`. */
  about: string
  object?: string
  /** What partitioning does to the object, or why it is refused. */
  detail: string
  hint?: string
}

/** A step of partitioning a table in place, or of reverting it. */
export type PartitionStepEvent = {
  type: 'partition.step'
  table: string
  /** Only `switch`, `slice` and `revert` block other sessions until they end. `clear`: removes what was prepared. */
  step: 'index' | 'check' | 'validate' | 'switch' | 'after' | 'slice' | 'revert' | 'clear'
  /** `found`: done by an earlier run. `again`: other sessions kept the lock for too long. */
  status: 'planned' | 'begun' | 'done' | 'found' | 'again'
  detail: string
}

/** A partition that the table would have, and the time to fill it. */
export type PartitionForecastEvent = {
  type: 'partition.forecast'
  table: string
  label: string
  /** The week or month; absent for a whole partition. */
  slice?: string
  from: string
  to: string
  rows: Dec
  estimated: boolean
  /** Error margin of an estimate, with 95 % confidence. */
  off?: Dec
  bytes: Dec
  /**
   * Estimated copy time. A slice is copied by one session at its share of the measured rate. A partition is copied by
   * all sessions, each with some of its slices. Absent if nothing was measured.
   */
  ms?: Ms
  /** True if its copy time is within the window; absent without a window. */
  fits?: boolean
}

/** Measurement that the forecast is based on. */
export type PartitionRateEvent = {
  type: 'partition.rate'
  table: string
  rows: Dec
  bytes: Dec
  ms: Ms
  /** Rate of all copy sessions together. */
  bytesPerHour: Dec
  /** Sessions that read and wrote at the same time. */
  lanes: Int
  /** False if rows were only read. */
  written: boolean
  /** What a copy does in addition to the measured work. */
  note: string
  /** Rate of one partition if it is lower, because without slices it is copied by one session. */
  partitionPerHour?: Dec
  /** Rate that the largest partition needs to fit into the window. */
  neededPerHour?: Dec
  windowMs?: Ms
}

/** A statement that would be run, or that the user must run. */
export type PartitionSqlEvent = {
  type: 'partition.sql'
  table: string
  sql: string
}

/** A finding before the old table is retired. */
export type DecommissionFindingEvent = {
  type: 'decommission.finding'
  /** The old table, or the database. */
  table: string
  /** Absent for a table. */
  of?: 'database'
  /** `refused`: prevents every step. `waits`: delays the drop. `changes`: the removal changes it. `look`: inspect. */
  verdict: 'refused' | 'waits' | 'changes' | 'look' | 'fine' | 'not known'
  /** Its kind, such as `sequence` or `reverse stream`. */
  about: string
  object?: string
  detail: string
  hint?: string
}

/** A step that retires the old table, or with `--dry-run` would. */
export type DecommissionStepEvent = {
  type: 'decommission.step'
  /** The old table, or the database. */
  table: string
  /** Absent for a table. */
  of?: 'database'
  /** The table that has the public name now. For a database: URL, without password, of the database with its tables. */
  public: string
  /**
   * `inactive`: only its owner may use it; a database refuses connections. `active`: `inactive` was undone. `archived`:
   * its rows were copied again and compared. `dropped`: it was removed.
   */
  step: 'inactive' | 'active' | 'archived' | 'dropped'
  /** `found`: done by an earlier run. */
  status: 'planned' | 'done' | 'found'
}

/** All events of this file. */
export type PartitionEvents =
  | PartitionedEvent
  | PartitionEvent
  | PartitionAlarmEvent
  | PartitionStandsEvent
  | PartitionMadeEvent
  | PartitionProgressEvent
  | PartitionWaitsEvent
  | PartitionLandedEvent
  | PartitionPaceEvent
  | PartitionFindingEvent
  | PartitionStepEvent
  | PartitionForecastEvent
  | PartitionRateEvent
  | PartitionSqlEvent
  | DecommissionFindingEvent
  | DecommissionStepEvent
