/** Phase III: partitions of the current and future periods exist before their first row. */
import { dec } from '../../model/run/event.ts'
import { countText } from '../../shared/figures.ts'
import { tableText } from '../../model/copy/column-type.ts'
import { alarmsOf, type Alarm } from '../alarms.ts'
import { coveredTo } from '../coverage.ts'
import { uncoveredOf, maintenanceOf, type PartitionCoverage } from '../partition-coverage.ts'
import { nowFor } from '../state.ts'
import { countDefaultRows } from '../default-rows.ts'
import { tableCommand } from './commands.ts'
import type { InspectedTable, PartitionedCopy, Phase } from './inspected.ts'
import { blocks } from './partitioning-phase.ts'

/** Default partitions up to this size are counted. */
const SMALL_BYTES = 64_000_000n
/** Alarms that `partition ensure` resolves. */
const RESOLVED_BY_ENSURE: ReadonlySet<Alarm['alarm']> = new Set(['none ahead', 'rows in the default', 'left over'])

export async function newPartitionsPhase(inspected: InspectedTable): Promise<Phase> {
  const { standing, odd, entry, now, store, archive, run, copy } = inspected
  const { ahead } = entry
  if (odd !== null) return { state: 'blocked', detail: odd.message, ...blocks([odd.reason, odd.hint]) }
  if (standing === null && copy !== null) return copyPhase(copy, now)
  if (standing === null) return { state: 'not begun', detail: 'the table has no partitions yet' }
  const coming = uncoveredOf(standing, { now, ahead })
  const rest = standing.table.partitions.find(({ isDefault }) => isDefault)
  const isCounted = rest !== undefined && (rest.bytes ?? 0n) <= SMALL_BYTES
  if (rest !== undefined && !isCounted) inspected.noteUninspected(`rows of ${tableText(rest.name)}`)
  const options = { ...coming, now, ahead }
  const stray = isCounted ? await countDefaultRows({ standing, archive }, options, maintenanceOf(store), run) : null
  const alarms = alarmsOf(standing, { now, ahead, coming, stray, archive })
  const last = lastOf(standing, now)
  const strayRows = alarms
    .filter(({ alarm }) => alarm === 'rows in the default')
    .reduce((sum, { rows = '0' }) => sum + BigInt(rows), 0n)
  const facts = {
    ...coverOf(standing, last),
    missing: dec(coming.missing.length),
    ...(stray === null ? {} : { defaultRows: dec(strayRows) }),
  }
  const reported = coverText(standing, last)
  const kept = standing.table.keptBy === undefined ? '' : `; ${standing.table.keptBy} creates partitions of it, too`
  if (alarms.length === 0)
    return { ...facts, state: 'done', detail: `${reported}, ${ahead} whole periods ahead${kept}` }
  // `partition ensure` does not move rows of the default partition that belong to no required period.
  const isLeft = coming.missing.length === 0 && alarms.every(({ alarm }) => alarm === 'rows in the default')
  const timeless = isLeft ? await timelessRows(inspected, standing) : 0n
  if (isLeft && timeless === strayRows) {
    const stay = `${countText(timeless, 'row')} without a time of the years 1 to 9999 stay in the default partition`
    return { ...facts, state: 'done', detail: `${reported}, ${ahead} whole periods ahead; ${stay}${kept}` }
  }
  const others = alarms.filter(({ alarm }) => !RESOLVED_BY_ENSURE.has(alarm) || isLeft || standing.calendar === null)
  const isBlocked = others.length > 0
  return {
    ...facts,
    state: isBlocked ? 'blocked' : 'due',
    detail: `${reported}; ${coming.missing.length} missing${kept}`,
    ...blocks(alarms.map((alarm) => textOf(alarm, isBlocked))),
    ...(isBlocked && coming.missing.length === 0 ? {} : { next: tableCommand('partition ensure', entry) }),
  }
}

/** Number of rows of the default partition that no period can take: NULL, infinite, before the year 1, after 9999. */
async function timelessRows({ store, run }: InspectedTable, { table, kind }: PartitionCoverage): Promise<bigint> {
  if (kind === 'epoch-seconds' || kind === 'epoch-milliseconds') return 0n
  const years = { from: '0001-01-01', to: '10000-01-01' }
  const { others } = await maintenanceOf(store).countDefault(table, [years], run.interrupt.abort)
  return others.rows
}

/** State of the new table before it gets the public name. */
function copyPhase({ name, standing }: PartitionedCopy, now: Date): Phase {
  const last = lastOf(standing, now)
  const detail = `${name} has ${coverText(standing, last)}; partition ensure keeps them once it has the public name`
  return { ...coverOf(standing, last), state: 'not begun', detail }
}

/** Time up to which partitions exist without a gap from now on; null if no partition covers now. */
function lastOf(standing: PartitionCoverage, now: Date): string | null {
  return coveredTo(standing.placed, nowFor({ ...standing, now }))?.partition.to ?? null
}

function coverOf({ table }: PartitionCoverage, last: string | null): Pick<Phase, 'partitions' | 'coveredTo'> {
  return { partitions: dec(table.partitions.length), ...(last === null ? {} : { coveredTo: last }) }
}

function coverText({ table }: PartitionCoverage, last: string | null): string {
  return `${countText(table.partitions.length, 'partition')}, ${last === null ? 'none of them for now' : `there up to ${last}`}`
}

function textOf({ alarm, detail, hint }: Alarm, withHint: boolean): string {
  return `${alarm}: ${detail}${withHint && hint !== undefined ? ` (${hint})` : ''}`
}
