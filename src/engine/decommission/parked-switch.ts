/** The switch that has parked a table. */
import { SluiceError } from '../../shared/errors.ts'
import type { LedgerDatabase } from '../../stores/copy-port.ts'
import { isUnderWay, readSwitches, type SwitchRow } from '../cutover/switch-row.ts'

/**
 * @param name of the public table or of the parked one, with its schema or without
 * @param label of the database, for messages
 * @returns the last switch of that table
 * @throws SluiceError NO_SUCH_TABLE where none has parked it, AMBIGUOUS_TABLE, LEDGER_BUSY while one is being prepared, NOT_SWITCHABLE of one between two databases
 */
export async function parkedSwitch(database: LedgerDatabase, name: string, label: string): Promise<SwitchRow> {
  const all = await readSwitches(database)
  const called = (text: string): boolean => isCalled(text, name)
  const named = all.filter(({ publicTable, parkedTable }) => called(publicTable) || called(parkedTable))
  const names = [...new Set(named.map(({ publicTable }) => publicTable))]
  const [only] = names
  if (only === undefined) {
    throw new SluiceError('NO_SUCH_TABLE', `no switch has parked ${name}`, {
      where: label,
      hint: 'name the public table or the parked one; --from has to be the database in which the switch happened',
    })
  }
  if (names.length > 1) {
    throw new SluiceError('AMBIGUOUS_TABLE', `${name} may be ${names.join(' or ')}`, {
      hint: 'name it with its schema',
    })
  }
  const last = all.findLast(({ publicTable }) => publicTable === only)
  if (last === undefined) throw new Error('a switch that was found is gone')
  if (isUnderWay(last.status) || last.switchedMs === null) {
    throw new SluiceError('LEDGER_BUSY', `a switch of ${only} is being prepared`, {
      where: label,
      hint: `end it first: sluice cutover ${last.stream} finishes it or gives it up`,
    })
  }
  if (last.isBetween) {
    throw new SluiceError('NOT_SWITCHABLE', `the last switch of ${only} was between two databases`, {
      where: label,
      reason: `${last.parkedTable} is a table of the other one; the table of that name here takes the writes`,
      hint: `end the reverse stream with sluice follow ${last.reverse} --end, then retire the other database`,
    })
  }
  if (called(last.publicTable) || called(last.parkedTable)) return last
  throw new SluiceError('NO_SUCH_TABLE', `${name} is not parked any more`, {
    where: label,
    reason: `the last switch of ${only} has parked ${last.parkedTable}`,
    hint: `name ${last.parkedTable}`,
  })
}

/** Whether a ledger has a switch of a table. @param name as `parkedSwitch` takes it */
export function knowsParked(name: string): (database: LedgerDatabase) => Promise<boolean> {
  return async (database) =>
    (await readSwitches(database)).some(
      ({ publicTable, parkedTable }) => isCalled(publicTable, name) || isCalled(parkedTable, name),
    )
}

function isCalled(text: string, name: string): boolean {
  return text === name || text.endsWith(`.${name}`)
}
