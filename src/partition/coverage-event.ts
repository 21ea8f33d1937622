import { dec } from '../model/run/event.ts'
import type { PartitionStandsEvent } from '../model/partition/events.ts'
import type { AlarmOptions } from './alarms.ts'
import type { UncoveredPeriods } from './coverage.ts'
import type { PartitionCoverage } from './partition-coverage.ts'

/** State of a table, sent after its alarms. @param stray null if the rows of its default partition were not counted */
export function coverageEvent(
  table: string,
  ahead: number,
  { missing }: Pick<UncoveredPeriods, 'missing'>,
  stray: AlarmOptions['stray'],
  coverage: PartitionCoverage,
): PartitionStandsEvent {
  const hasDefault = coverage.table.partitions.some(({ isDefault }) => isDefault)
  const rows = stray === null ? (hasDefault ? null : 0n) : rowsOf(stray)
  return {
    type: 'partition.stands',
    table,
    ahead: dec(ahead),
    missing: dec(missing.length),
    ...(rows === null ? {} : { defaultRows: dec(rows) }),
  }
}

function rowsOf({ missing, late, ahead, others }: NonNullable<AlarmOptions['stray']>): bigint {
  const all = [...missing, ...late.map(({ rows }) => rows), ahead?.rows ?? 0n, others.rows]
  return all.reduce((sum, rows) => sum + rows, 0n)
}
