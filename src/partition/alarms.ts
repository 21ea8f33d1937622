/** Alarms of a partitioned table, most severe first. */
import type { PartitionAlarmEvent } from '../model/partition/events.ts'
import { dec } from '../model/run/event.ts'
import { tableText } from '../model/copy/column-type.ts'
import { hasLeft, type ArchiveRecord } from '../archive/ledger/record.ts'
import type { RangePartition, DefaultRows, PrintedBounds } from '../model/partition/maintenance-port.ts'
import {
  unboundedPartition,
  coveredTo,
  currentPeriod,
  oversizedPartition,
  type UncoveredPeriods,
  type Gap,
  type PlacedPeriod,
} from './coverage.ts'
import type { PartitionCoverage } from './partition-coverage.ts'
import { nowFor } from './state.ts'
import { shellQuote } from '../shared/shell.ts'
import { knownBounds } from '../archive/plan/bound-fields.ts'

/** Number of periods named in a line. */
const NAMED = 6

export type Alarm = Omit<PartitionAlarmEvent, 'type' | 'table'>

export type AlarmOptions = {
  readonly now: Date
  /** Required whole periods after the current one. */
  readonly ahead: number
  /** Required periods that are missing or partly covered. */
  readonly coming: UncoveredPeriods
  /**
   * Counted rows of the default partition: in missing periods, in archived periods (`late`), after the required periods
   * (`ahead`), and all others. Null if they were not counted.
   */
  readonly stray: {
    readonly missing: readonly bigint[]
    readonly late: readonly (DefaultRows & { readonly label: string })[]
    /** Rows of periods after the required ones. `enough`: value of `--ahead` that covers them; null if unknown. */
    readonly ahead: { readonly rows: bigint; readonly from: string; readonly enough: number | null } | null
    readonly others: DefaultRows
  } | null
  readonly archive: ArchiveRecord | null
  /** True if this run should have created the partitions, but was refused: it prints its own hints. */
  readonly refused?: boolean
}

/** Alarms of a table; without a calendar, only the alarms that need none. */
export function alarmsOf(coverage: PartitionCoverage, options: AlarmOptions): readonly Alarm[] {
  const { calendar, placed, kind, zone } = coverage
  const { now, ahead, stray, coming, refused = false } = options
  const makes = refused ? {} : { hint: 'run sluice partition ensure to create them' }
  const moves = refused ? {} : { hint: 'run sluice partition ensure: it moves them, or prints the statement for it' }
  const { missing, overlaps } = coming
  const endless = calendar === null ? null : unboundedPartition(placed, calendar.spec, kind, { now, ahead })
  const many = calendar === null ? null : oversizedPartition(placed, calendar.spec, kind, { now, ahead })
  const covered = coveredTo(placed, nowFor({ zone, kind, now }))
  return [
    ...(calendar === null && covered === null ? [uncoveredAlarm(coverage)] : []),
    ...(missing.length === 0
      ? []
      : [missingAlarm(missing, coverage, { now, covered: covered?.partition.to ?? null, hint: makes })]),
    ...(endless === null ? [] : [endlessAlarm(endless.partition)]),
    ...(many === null ? [] : [manyAlarm(many)]),
    ...overlaps
      .filter(({ partition }) => partition !== endless?.partition)
      .map(({ period, partition }): Alarm => ({
        alarm: 'overlap',
        partition: tableText(partition.name),
        from: period.from,
        to: period.to,
        detail: `it holds a part of ${period.period.label} only, and a partition for the rest cannot be created`,
        hint: 'create the partitions of the rest by hand, or name the calendar of the table with --calendar',
      })),
    ...openGaps(coverage, options.archive)
      .filter(({ low, high }) => !overlaps.some(({ period }) => low < period.high && high > period.low))
      // Leave out a gap that begins and ends with missing periods: these are reported already.
      .filter(({ low, high }) => !missing.some((one) => one.low === low) || !missing.some((one) => one.high === high))
      .map((gap): Alarm => ({
        alarm: 'gap',
        from: gap.from ?? '',
        to: gap.to ?? '',
        detail: `no partition takes the rows after ${tableText(gap.before.name)}: ${
          coverage.table.partitions.some(({ isDefault }) => isDefault)
            ? 'such rows fall into the default partition'
            : 'such rows are refused'
        }`,
        hint: 'attach the missing partition, or create one with these bounds by hand',
      })),
    ...(stray === null
      ? []
      : [...strayAlarms(missing, stray, { standing: coverage, hint: moves }), ...lateAlarms(stray.late, coverage)]),
    ...(coverage.table.leftOver === undefined
      ? []
      : [
          {
            alarm: 'left over',
            detail: coverage.table.leftOver,
            hint: 'run sluice partition ensure to remove it',
          } as const,
        ]),
  ]
}

function uncoveredAlarm({ zones, table: { partitions } }: PartitionCoverage): Alarm {
  const holder = partitions.some(({ isDefault }) => isDefault) ? 'only the default partition' : 'no partition'
  return {
    alarm: 'none ahead',
    detail: `${holder} receives the new rows, and the bounds of the other partitions do not show its period`,
    hint:
      zones.length > 0
        ? 'name the zone with --zone, or create the partition by hand'
        : 'create it by hand, or name the calendar with --calendar',
  }
}

function manyAlarm({ partition, periods }: NonNullable<ReturnType<typeof oversizedPartition>>): Alarm {
  return {
    alarm: 'overlap',
    partition: tableText(partition.name),
    ...knownBounds(partition),
    detail: `it holds ${labelsText(periods)} together, so they cannot be archived or dropped separately`,
    hint: 'split it by hand, at an hour without writes',
  }
}

/** Labels as text; of more than NAMED periods only the first, and the number of the others. */
function labelsText(periods: readonly PlacedPeriod[]): string {
  const labels = periods.map(({ period }) => period.label)
  return labels.length <= NAMED
    ? labels.join(', ')
    : `${labels.slice(0, NAMED - 1).join(', ')} and ${labels.length - NAMED + 1} more`
}

function endlessAlarm({ name, from }: RangePartition): Alarm {
  return {
    alarm: 'overlap',
    partition: tableText(name),
    ...(from === null ? {} : { from }),
    detail: 'it has no upper bound and takes all new rows, so partitions of the coming periods cannot be created',
    hint: 'detach it, run sluice partition ensure, and insert its rows again; or split it by hand, at an hour without writes',
  }
}

/** Gaps, except those whose rows are in the archive. */
export function openGaps({ gaps }: PartitionCoverage, archive: ArchiveRecord | null): readonly Gap[] {
  const gone = new Set(archive?.partitions.filter(hasLeft).map(({ from }) => from))
  const ends = new Map(archive?.partitions.map(({ from, to }) => [from, to]))
  return gaps.filter(({ from, to }) => {
    let reached = from
    // Partitions that were detached one after the other leave one gap.
    while (reached !== to && gone.has(reached)) reached = ends.get(reached) ?? to
    return reached !== to
  })
}

function missingAlarm(
  missing: readonly PlacedPeriod[],
  standing: PartitionCoverage,
  { now, covered, hint }: { readonly now: Date; readonly covered: string | null; readonly hint: Pick<Alarm, 'hint'> },
): Alarm {
  const [first] = missing
  const today = standing.calendar === null ? null : currentPeriod(standing.calendar.spec, now)
  const currentMissing = missing.some(({ period }) => period.from === today?.from)
  return {
    alarm: 'none ahead',
    ...(first === undefined ? {} : { from: first.from, to: missing.at(-1)?.to ?? first.to }),
    detail: `${currentMissing ? 'the current period has no partition' : 'too few partitions are ahead'}: ${labelsText(missing)} ${
      missing.length === 1 ? 'is' : 'are'
    } missing${covered === null ? '' : `, and the last one ends at ${covered}`}`,
    ...hint,
  }
}

/** Alarms for rows of archived periods: their times are valid, but their partition was detached. */
function lateAlarms(
  late: NonNullable<AlarmOptions['stray']>['late'],
  { table: { table } }: PartitionCoverage,
): readonly Alarm[] {
  return late.map(({ label, rows, ...bounds }) => {
    const detail = `late rows of ${label} are in the default partition: that period is archived, and no longer in the table`
    const hint = `sluice restore --table ${shellQuote(tableText(table))} --partition ${shellQuote(label)} restores it, and shows what to do with these rows; then archive it again`
    return inDefault(bounds, rows, detail, { hint })
  })
}

function strayAlarms(
  missing: readonly PlacedPeriod[],
  { missing: inMissing, ahead, others }: NonNullable<AlarmOptions['stray']>,
  { standing: { calendar }, hint }: { readonly standing: PartitionCoverage; readonly hint: Pick<Alarm, 'hint'> },
): readonly Alarm[] {
  const alarms: Alarm[] = []
  for (const [i, period] of missing.entries()) {
    const rows = inMissing[i] ?? 0n
    if (rows === 0n) continue
    alarms.push(inDefault(period, rows, `rows of ${period.period.label} are in the default partition`, hint))
  }
  if (ahead !== null) {
    const further = `sluice partition ensure --ahead ${ahead.enough ?? 'N'} creates these partitions and moves the rows; otherwise the rows stay in the default partition for now`
    const detail = 'they belong to periods beyond those that need a partition now'
    alarms.push(inDefault({ from: ahead.from, to: null }, ahead.rows, detail, { hint: further }))
  }
  if (others.rows > 0n) {
    const detail =
      calendar === null
        ? 'they are outside of all other partitions, or have no time'
        : 'their period does not need a partition, or they have no time'
    const byHand = 'correct their times if these are wrong, or create partitions for them by hand'
    alarms.push(inDefault(others, others.rows, detail, { hint: byHand }))
  }
  return alarms
}

function inDefault(bounds: PrintedBounds, rows: bigint, detail: string, hint: Pick<Alarm, 'hint'>): Alarm {
  return { alarm: 'rows in the default', ...knownBounds(bounds), rows: dec(rows), detail, ...hint }
}
