/** What the source has beside rows and --with can make, and the target has not. */
import { tableText } from '../../../model/copy/column-type.ts'
import { OBJECT_WISHES, type ObjectWish } from '../../../model/copy/schema-object.ts'
import type { SignOffCheck } from '../../../model/follow/sign-off.ts'
import { planObjects } from '../../copy/objects/plan-objects.ts'
import type { PlannedCopy } from '../../copy/plan/plan-copy.ts'

/** @param wished what the copy was asked to make: where that is missing, it is not done */
export async function objectChecks(
  planned: PlannedCopy,
  wished: readonly ObjectWish[],
  signal: AbortSignal,
): Promise<readonly SignOffCheck[]> {
  const asked = await planObjects(planned, wished, signal)
  const all = await planObjects(planned, OBJECT_WISHES, signal)
  return planned.tables.map(({ source, targetName }): SignOffCheck => {
    const name = tableText(source.table)
    const head = { check: 'made by --with', table: tableText(targetName) }
    const missing = (asked.get(name) ?? []).filter(({ status }) => status !== 'there')
    const others = (all.get(name) ?? []).filter(({ status }) => status !== 'there')
    const there = (all.get(name) ?? []).length - others.length
    if (missing.length > 0) {
      return {
        ...head,
        outcome: 'failed',
        found: `not in the target: ${missing.map(({ kind, name: one }) => `${kind} ${one}`).join(', ')}`,
        hint: 'sluice follow STREAM goes on and builds what is missing, or says what is in the way',
      }
    }
    if (others.length === 0) return { ...head, outcome: 'ok', found: `all ${there} of the source are there` }
    return {
      ...head,
      outcome: 'not checked',
      found: `nobody asked for ${others.map(({ kind, name: one }) => `${kind} ${one}`).join(', ')}`,
    }
  })
}
