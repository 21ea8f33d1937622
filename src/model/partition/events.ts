/** What is said of the partitions of a table: how they stand, which were made, what somebody has to look at; part of the union in event.ts. */
import type { Dec } from '../run/dec.ts'

/** A table and how it is cut, before its partitions. Bounds and days as their system prints them. */
export type PartitionedEvent = {
  type: 'partition.table'
  table: string
  by: string
  /** As `--calendar` and its options say it; absent where its bounds are those of no calendar. */
  calendar?: string
  /** Where the calendar comes from: the flags, or the bounds of so many of its newest partitions. */
  calendarFrom?: string
  partitions: Dec
  /** Whether rows without a partition have one to fall into. */
  hasDefault: boolean
  /** The last of its partitions without a gap ends here; absent where it has none. */
  coveredTo?: string
  /** The last of them has no end, and takes all that comes. */
  isOpen?: boolean
  /** What else makes partitions of it. */
  keptBy?: string
}

/**
 * `future`: not begun. `current`: now lies in it. `hot`: it is over, and not due. `due`: older than what was asked for. `archived`: its rows are in an archive, and
 * not in the table. `held`: somebody has said that it has to stay. `default`: it takes what no other takes. `open`: it has no end, or no beginning. `missing`: it has to be there by now, and is not.
 */
export type PartitionState = 'future' | 'current' | 'hot' | 'due' | 'archived' | 'held' | 'default' | 'open' | 'missing'

/** One partition, or one that is in an archive. */
export type PartitionEvent = {
  type: 'partition'
  table: string
  partition: string
  /** What the calendar calls it. */
  label?: string
  from?: string
  to?: string
  state: PartitionState
  rows?: Dec
  /** False where they were counted. */
  estimated: boolean
  bytes?: Dec
  /** Whole periods since it ended; 0 for the one before the current. */
  age?: number
  note?: string
}

export type PartitionAlarm = 'none ahead' | 'overlap' | 'gap' | 'rows in the default' | 'left over' | 'not given'

/** Something that somebody has to look at, as it stands now. */
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

/** How a table stands once it was looked at, and its alarms were told. */
export type PartitionStandsEvent = {
  type: 'partition.stands'
  table: string
  /** Whole periods after that of today that have to be there, and how many of these and of the current one are missing. */
  ahead: Dec
  missing: Dec
  /** Rows in the default partition; absent where nobody has counted them. */
  defaultRows?: Dec
}

/** A partition that was made, or with `--dry-run` would be. */
export type PartitionMadeEvent = {
  type: 'partition.made'
  table: string
  partition: string
  label: string
  from: string
  to: string
  /** `found`: somebody else made it meanwhile. */
  status: 'planned' | 'made' | 'found'
  /** Rows that came out of the default partition. */
  moved?: Dec
}

/** How far the making is; may be left out by a slow reader. */
export type PartitionProgressEvent = {
  type: 'partition.progress'
  table: string
  step: 'making' | 'logging' | 'copying' | 'following' | 'switching'
  rows: Dec
  total?: Dec
}

/** How long others may have waited, once it is over. */
export type PartitionWaitsEvent = {
  type: 'partition.waits'
  table: string
  longestMs: number
  tries: number
  /** Rows of the default partition whose sum was compared before the new tables took its place. */
  proved?: Dec
}

/** A partition, or a slice of one, of which every chunk is copied and proved. */
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
  /** What was compared of each chunk: rows and checksum, or rows alone. */
  proof: 'chunk' | 'count'
  /** Since its first chunk was begun in this run. */
  ms?: number
  /** Its last chunk was proved by an earlier run. */
  earlier?: true
}

/** How fast the partition that is copied first goes, beside what its window needs. */
export type PartitionPaceEvent = {
  type: 'partition.pace'
  table: string
  partition: string
  rows: Dec
  /** Estimated. */
  total: Dec
  bytesPerHour: Dec
  /** Of what is left, to be there when the window ends; absent without a window. */
  neededPerHour?: Dec
  leftMs?: number
}

/** One thing that partitioning a table would meet. */
export type PartitionFindingEvent = {
  type: 'partition.finding'
  table: string
  /** `refused`: it is in the way. `changes`: it becomes something else. `made`: it is made again as it is. `fine`: nothing is to be done. */
  verdict: 'refused' | 'changes' | 'made' | 'fine' | 'not looked'
  /** Of what kind it is, such as `foreign key` or `rows without a time`. */
  about: string
  object?: string
  /** What will happen, or why not. */
  detail: string
  hint?: string
}

/** A step by which a table is partitioned without a copy of it, or goes back. */
export type PartitionStepEvent = {
  type: 'partition.step'
  table: string
  /** Only `switch`, `slice` and `revert` keep others waiting, until they are over. `clear`: what was prepared is removed. */
  step: 'index' | 'check' | 'validate' | 'switch' | 'after' | 'slice' | 'revert' | 'clear'
  /** `found`: an earlier run has done it. `again`: others did not let go in time. */
  status: 'planned' | 'begun' | 'done' | 'found' | 'again'
  detail: string
}

/** One partition that a table would have, and how long it takes to fill. */
export type PartitionForecastEvent = {
  type: 'partition.forecast'
  table: string
  label: string
  /** Absent for a whole partition. */
  slice?: string
  from: string
  to: string
  rows: Dec
  estimated: boolean
  /** Of an estimate: the true number is no further away in 95 of 100 cases. */
  off?: Dec
  bytes: Dec
  /** A slice at the measured rate of one lane, a partition with as many slices at a time as there are lanes; absent where nothing was measured. */
  ms?: number
  /** Whether it fits into the window by itself; absent without a window. */
  fits?: boolean
}

/** What was measured to say so. */
export type PartitionRateEvent = {
  type: 'partition.rate'
  table: string
  rows: Dec
  bytes: Dec
  ms: number
  /** Of all lanes together. */
  bytesPerHour: Dec
  /** Sessions that read and wrote at the same time. */
  lanes: number
  /** False where rows were only read. */
  written: boolean
  /** What a copy does beyond what was measured. */
  note: string
  /** What one partition gets of it where that is less, for it takes one lane without slices. */
  partitionPerHour?: Dec
  /** What the largest partition needs to fit into the window. */
  neededPerHour?: Dec
  windowMs?: number
}

/** A statement that would be run, or that somebody has to run. */
export type PartitionSqlEvent = {
  type: 'partition.sql'
  table: string
  sql: string
}

/** One thing that was looked at before a parked table is retired. */
export type DecommissionFindingEvent = {
  type: 'decommission.finding'
  /** The parked table, or the database. */
  table: string
  /** Absent for a table. */
  of?: 'database'
  /** `refused`: nothing is done while it is so. `waits`: the table is not dropped before. `changes`: it becomes something else with the removal. `look`: somebody should. */
  verdict: 'refused' | 'waits' | 'changes' | 'look' | 'fine' | 'not known'
  /** Of what kind it is, such as `sequence` or `reverse stream`. */
  about: string
  object?: string
  detail: string
  hint?: string
}

/** A step by which a parked table is retired, or with `--dry-run` would be. */
export type DecommissionStepEvent = {
  type: 'decommission.step'
  /** The parked table, or the database. */
  table: string
  /** Absent for a table. */
  of?: 'database'
  /** The table that has its name; of a database the URL, without password, of the one that its tables have moved to. */
  public: string
  /** `inactive`: nobody but its owner may use it; a database refuses connections. `active`: that was undone. `archived`: its rows were copied once more, and compared. `dropped`: it is gone. */
  step: 'inactive' | 'active' | 'archived' | 'dropped'
  /** `found`: an earlier run has done it. */
  status: 'planned' | 'done' | 'found'
}
