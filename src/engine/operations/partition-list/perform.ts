/** `partition list`: the partitions of tables, whoever made them, what they are today, and what is missing. */
import type { ArchivedPartition } from '../../../archive/ledger/record.ts'
import { tableText } from '../../../model/copy/column-type.ts'
import { dec } from '../../../model/event.ts'
import { alarmsOf } from '../../partitioning/alarms.ts'
import { eachTable, type FoundTable } from '../../partitioning/each-table.ts'
import { tableEvent } from '../../partitioning/table-event.ts'
import { ageOf, archivedAs, periodFor, stateOf, type StateOptions } from '../../partitioning/state.ts'
import { maintenanceOf } from '../../partitioning/standing.ts'
import { strayOf } from '../../partitioning/stray.ts'
import { cutOff, parseAge } from '../../calendar/age.ts'
import { openSourceStore } from '../../copy/open-stores.ts'
import type { Ending, RunOf } from '../../run-context.ts'
import { failedTables } from '../../partitioning/failed-tables.ts'
import type { partitionList as declared, PartitionListOperation } from './declaration.ts'

type PartitionListRun = RunOf<typeof declared>

/** Default partitions that are not larger are counted unasked. */
const SMALL_BYTES = 64_000_000n

/** @throws SluiceError NO_SUCH_TABLE, UNSUPPORTED_URL, UNSUPPORTED_TYPE, CONNECT_FAILED */
export async function partitionList(operation: PartitionListOperation, run: PartitionListRun): Promise<Ending> {
  const { tables, calendar, count } = operation
  await using store = await openSourceStore(operation.from)
  const totals = { tables: 0, partitions: 0, rows: 0n, bytes: 0n, alarms: 0 }
  const notCounted: string[] = []
  const errors = await eachTable(store, { tables, calendar, sizes: true }, run, async (found) => {
    const { standing } = found
    const options = optionsOf(found, operation, run)
    totals.tables++
    run.emit(tableEvent(found.name, standing, options.now))
    const counts = count ? await countsOf(found, store, run) : null
    for (const [i, partition] of standing.table.partitions.entries()) {
      const archived = archivedAs(partition, options)
      const age = ageOf(partition, options)
      const label = periodFor(partition, options)?.label ?? archived?.label
      const rows = counts?.[i] ?? partition.rows
      const notes = [
        ...(partition.note === undefined ? [] : [partition.note]),
        ...(archived === null
          ? []
          : [archived.held === null ? `archive: ${archived.state}` : `held: ${archived.held}`]),
      ]
      totals.partitions++
      totals.rows += rows ?? 0n
      totals.bytes += partition.bytes ?? 0n
      run.emit({
        type: 'partition',
        table: found.name,
        partition: tableText(partition.name),
        ...(label === undefined ? {} : { label }),
        ...(partition.from === null ? {} : { from: partition.from }),
        ...(partition.to === null ? {} : { to: partition.to }),
        state: stateOf(partition, options),
        ...(rows === null ? {} : { rows: dec(rows) }),
        estimated: counts?.[i] === undefined,
        ...(partition.bytes === null ? {} : { bytes: dec(partition.bytes) }),
        ...(age === undefined ? {} : { age }),
        ...(notes.length === 0 ? {} : { note: notes.join('; ') }),
      })
    }
    for (const one of goneOf(found)) run.emit(goneEvent(found.name, one))
    const rest = standing.table.partitions.find(({ isDefault }) => isDefault)
    const counted = rest !== undefined && (count || (rest.bytes ?? 0n) <= SMALL_BYTES)
    if (rest !== undefined && !counted) notCounted.push(`rows of ${tableText(rest.name)} (--count counts them)`)
    const stray = counted ? await strayOf(found, { ...operation, now: options.now }, maintenanceOf(store), run) : null
    for (const alarm of alarmsOf(standing, { ...operation, now: options.now, stray, archive: found.archive })) {
      totals.alarms++
      run.emit({ type: 'partition.alarm', table: found.name, ...alarm })
    }
  })
  return {
    ...failedTables(errors),
    ...(notCounted.length === 0 ? {} : { notChecked: notCounted.join('; ') }),
    totals: {
      tables: dec(totals.tables),
      partitions: dec(totals.partitions),
      rows: dec(totals.rows),
      bytes: dec(totals.bytes),
      alarms: dec(totals.alarms),
    },
  }
}

function optionsOf(
  { standing, archive }: FoundTable,
  { olderThan }: PartitionListOperation,
  run: PartitionListRun,
): StateOptions {
  const now = new Date(run.clock.now())
  const spec = standing.calendar?.spec ?? null
  const first = olderThan === undefined || spec === null ? null : cutOff(spec, parseAge(olderThan), now)
  return { kind: standing.kind, spec, now, cutOff: first, archive }
}

/** By their place in the table; the default partition too. */
async function countsOf(
  { standing: { table } }: FoundTable,
  store: Parameters<typeof maintenanceOf>[0],
  run: PartitionListRun,
): Promise<readonly (bigint | undefined)[]> {
  return maintenanceOf(store).count(table, run.interrupt.abort)
}

/** Partitions of the archive that are no longer in the table. */
function goneOf({ archive, standing }: FoundTable): readonly ArchivedPartition[] {
  const there = new Set(standing.table.partitions.map(({ identity }) => identity))
  return (archive?.partitions ?? []).filter(
    ({ state, native }) =>
      native !== null && !there.has(native.identity) && (state === 'DETACHED' || state === 'DROPPED'),
  )
}

function goneEvent(table: string, one: ArchivedPartition) {
  const bytes = one.files.reduce((sum, file) => sum + file.bytes, 0n)
  return {
    type: 'partition',
    table,
    partition: one.native === null ? one.label : tableText(one.native.table),
    label: one.label,
    ...(one.from === null ? {} : { from: one.from }),
    ...(one.to === null ? {} : { to: one.to }),
    state: 'archived',
    ...(one.digest === null ? {} : { rows: dec(one.digest.rows) }),
    estimated: false,
    bytes: dec(bytes),
    note: one.held === null ? one.state : `${one.state}; held: ${one.held}`,
  } as const
}
