/**
 * Indexes, constraints and defaults of the source that the target lacks, and that the copy was not asked to create; and
 * properties that the keys of the target lack.
 */
import { tableText } from '../../../model/copy/column-type.ts'
import { dependencyOf, type LeftBehind } from '../../../model/copy/dependencies.ts'
import { OBJECT_OPTIONS, objectOptions, type ObjectOptions } from '../../../model/copy/schema-object.ts'
import { asSluiceError } from '../../../shared/errors.ts'
import { groupBy } from '../../../shared/group-by.ts'
import type { PlannedCopy } from '../plan/plan-copy.ts'
import { planObjects, type ObjectPlans, type PlannedObject, type SplitPlans } from './plan-objects.ts'

/**
 * @param options kinds that the copy creates
 * @param known plans of all objects, if they are known already
 */
export async function planUnrequested(
  planned: PlannedCopy,
  options: readonly ObjectOptions[],
  known: SplitPlans | null,
  signal: AbortSignal,
): Promise<readonly LeftBehind[]> {
  const plans = known ?? (await readablePlans(planned, signal))
  if (plans === null) return [dependencyOf('unread', ['indexes, constraints and defaults'])]
  const { requested, others } = plans
  const lacking = planned.tables.flatMap(({ source, plan }) => {
    const table = tableText(source.table)
    // The sequence of a column, which its default names, is reported by itself.
    const isNumber = ({ kind, name }: PlannedObject): boolean =>
      kind === 'default' && plan?.source.columns.find((column) => column.name === name)?.sequence !== undefined
    const objects = (others.get(table) ?? []).filter((one) => one.status !== 'there' && !isNumber(one))
    return objects.map((object) => ({ table, object }))
  })
  const wanted = new Set(lacking.flatMap(({ object }) => (isLacking(object) ? objectOptions(object) : [])))
  const words = OBJECT_OPTIONS.filter((option) => options.includes(option) || wanted.has(option))
  const means = `created only by copy --with ${words.length === OBJECT_OPTIONS.length ? 'all' : words.join(',')}`
  const meaning = ({ status, widenedBy }: PlannedObject): string | undefined => {
    if (widenedBy !== undefined) return `in the target with ${widenedBy.join(', ')} in it`
    return status === 'build' ? means : undefined
  }
  const kinds = groupBy(lacking, ({ table, object }) => JSON.stringify([table, object.kind, meaning(object)]))
  const unrequested = [...kinds.values()].flatMap((some) => {
    const [first] = some
    if (first === undefined) return []
    const { table, object } = first
    const names = some.map((one) => one.object.name)
    return [dependencyOf(object.kind, names, table, meaning(object))]
  })
  return [...unrequested, ...[requested, others].flatMap(lostProperties)]
}

/** True if a copy can create the object, and the target does not have it with more columns. */
function isLacking({ status, widenedBy }: PlannedObject): boolean {
  return status === 'build' && widenedBy === undefined
}

/** Constraints that are in the target, as its row key or made by hand, and check each row as it is written. */
function lostProperties(plans: ObjectPlans): readonly LeftBehind[] {
  return [...plans].flatMap(([table, objects]) => {
    const names = objects.flatMap((one) =>
      one.status === 'there' && one.lost !== undefined ? [`${one.lost} of ${one.name}`] : [],
    )
    return names.length === 0 ? [] : [dependencyOf('key property', names, table)]
  })
}

/** Plans of all objects; null if a login may not read them, which a copy that creates none of them works without. */
async function readablePlans(planned: PlannedCopy, signal: AbortSignal): Promise<SplitPlans | null> {
  try {
    return await planObjects(planned, [], signal)
  } catch (thrown) {
    const error = asSluiceError(thrown)
    if (error.retryable || error.kind === 'stopped' || error.code === 'INTERNAL') throw thrown
    return null
  }
}
