/** Builds indexes and constraints after catch-up: before, unique values may be double, and foreign keys dangle. */
import { tableText } from '../../../model/copy/column-type.ts'
import type { SluiceError } from '../../../shared/errors.ts'
import type { CopyStore } from '../../../model/copy/port.ts'
import { buildThese } from '../../copy/objects/build-objects.ts'
import type { Context } from '../../copy/table/copy-context.ts'
import type { FollowTable } from './followed-table.ts'
import type { TableStates } from '../progress/table-states.ts'

/** @param reached tables about to become live; foreign keys need both tables @returns errors of objects not built */
export async function buildReached(
  reached: readonly FollowTable[],
  all: readonly FollowTable[],
  states: TableStates,
  around: Context & { readonly store: CopyStore },
): Promise<readonly SluiceError[]> {
  if (around.objects === undefined) return []
  const errors: SluiceError[] = []
  const context = ({ name, key, plan }: FollowTable): Parameters<typeof buildThese>[0] => ({
    name,
    key,
    plan,
    store: around.store,
    signal: around.run.interrupt.abort,
    emit: around.run.emit,
  })
  for (const table of reached)
    errors.push(...(await buildThese(context(table), around, ({ kind }) => kind !== 'foreign key')).errors)
  const live = all.filter((table, at) => reached.includes(table) || states.list[at] === 'live')
  const whole = new Set(live.map(({ plan }) => tableText(plan.target.table)))
  for (const table of live) {
    const isBetween = (object: Parameters<Parameters<typeof buildThese>[2]>[0]): boolean =>
      object.kind === 'foreign key' && whole.has(tableText(object.to.table))
    errors.push(...(await buildThese(context(table), around, isBetween)).errors)
  }
  return errors
}
