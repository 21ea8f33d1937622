/** `partition list`: partitions of tables, also those of other tools, their state, and missing partitions. */
import { tableText } from '../../../model/copy/column-type.ts'
import { dec } from '../../../model/run/event.ts'
import { alarmsOf } from '../../alarms.ts'
import { eachTable, type TableWithCoverage } from '../../each-table.ts'
import { coverageEvent } from '../../coverage-event.ts'
import { partitionTableEvent } from '../../table-event.ts'
import { listedPartitions } from '../../listed.ts'
import { ledgerParts, type StateOptions } from '../../state.ts'
import { uncoveredOf, maintenanceOf } from '../../partition-coverage.ts'
import { countDefaultRows } from '../../default-rows.ts'
import { cutOff, parseAge } from '../../../model/calendar/age.ts'
import { openSourceStore } from '../../../engine/copy/open-stores.ts'
import { zonesText } from '../../zones.ts'
import type { Ending, RunOf } from '../../../engine/run/run-context.ts'
import { failedTables } from '../../failed-tables.ts'
import type { partitionList, PartitionListOperation } from './declaration.ts'

type PartitionListRun = RunOf<typeof partitionList>

/** Longest wait for a locked table. */
const INSPECT_WAIT_MS = 10_000
/** Default partitions up to this size are counted without --count. */
const SMALL_BYTES = 64_000_000n

/** @throws SluiceError NO_SUCH_TABLE, UNSUPPORTED_URL, UNSUPPORTED_TYPE, CONNECT_FAILED */
export async function performPartitionList(operation: PartitionListOperation, run: PartitionListRun): Promise<Ending> {
  const { tables, calendar, epoch, count } = operation
  await using store = await openSourceStore(operation.from, undefined, { lockWaitMs: INSPECT_WAIT_MS })
  const totals = { tables: 0, partitions: 0, rows: 0n, bytes: 0n, alarms: 0 }
  const notInspected: string[] = []
  const { errors, skippedTables, unread, stopped } = await eachTable(
    store,
    { tables, calendar, epoch, sizes: true },
    run,
    async (found) => {
      const { standing } = found
      const options = optionsOf(found, operation, run)
      totals.tables++
      run.emit(partitionTableEvent(found.name, standing, options.now))
      if (standing.zones.length > 0) {
        run.emit({
          type: 'log',
          level: 'note',
          table: found.name,
          message: `its bounds are the start of a day in ${String(standing.zones.length)} time zones: name one with --zone, such as ${zonesText(standing.zones)}`,
        })
      }
      const counts = count ? await countsOf(found, store, run) : null
      const coming = uncoveredOf(standing, { now: options.now, ahead: operation.ahead })
      if (standing.calendar === null) notInspected.push(`coming partitions of ${found.name}: its calendar is unknown`)
      for (const event of listedPartitions(found, options, counts, coming.missing)) {
        run.emit(event)
        if (event.state === 'missing' || event.state === 'archived') continue
        totals.partitions++
        totals.rows += BigInt(event.rows ?? 0)
        totals.bytes += BigInt(event.bytes ?? 0)
      }
      const rest = standing.table.partitions.find(({ isDefault }) => isDefault)
      const counted = rest !== undefined && (count || (rest.bytes ?? 0n) <= SMALL_BYTES)
      if (rest !== undefined && !counted) notInspected.push(`rows of ${tableText(rest.name)} (--count counts them)`)
      const stray = counted
        ? await countDefaultRows(
            found,
            { ...coming, now: options.now, ahead: operation.ahead },
            maintenanceOf(store),
            run,
          )
        : null
      for (const alarm of alarmsOf(standing, {
        ...operation,
        now: options.now,
        coming,
        stray,
        archive: found.archive,
      })) {
        totals.alarms++
        run.emit({ type: 'partition.alarm', table: found.name, ...alarm })
      }
      run.emit(coverageEvent(found.name, operation.ahead, coming, stray, standing))
    },
  )
  notInspected.push(...unread)
  return {
    ...failedTables(errors),
    stopped,
    ...(notInspected.length === 0 ? {} : { notChecked: notInspected.join('; ') }),
    totals: {
      tables: dec(totals.tables),
      passedOver: dec(skippedTables),
      ...(errors.length === 0 ? {} : { failed: dec(errors.length) }),
      partitions: dec(totals.partitions),
      rows: dec(totals.rows),
      bytes: dec(totals.bytes),
      alarms: dec(totals.alarms),
    },
  }
}

function optionsOf(
  { standing, archive }: TableWithCoverage,
  { olderThan }: PartitionListOperation,
  run: PartitionListRun,
): StateOptions {
  const now = new Date(run.clock.now())
  const spec = standing.calendar?.spec ?? null
  const first = olderThan === undefined || spec === null ? null : cutOff(spec, parseAge(olderThan), now)
  return { kind: standing.kind, spec, zone: standing.zone, now, cutOff: first, parts: ledgerParts(standing, archive) }
}

/** Row counts of the partitions, in their order in the table, including the default partition. */
async function countsOf(
  { standing: { table } }: TableWithCoverage,
  store: Parameters<typeof maintenanceOf>[0],
  run: PartitionListRun,
): Promise<readonly bigint[]> {
  return maintenanceOf(store).count(table, run.interrupt.abort)
}
