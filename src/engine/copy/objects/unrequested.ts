/** Indexes, constraints and defaults of the source that the target lacks, and that the copy was not asked to create. */
import { tableText } from '../../../model/copy/column-type.ts'
import { dependencyOf, type LeftBehind } from '../../../model/copy/dependencies.ts'
import { OBJECT_OPTIONS, objectOptions, type ObjectOptions } from '../../../model/copy/schema-object.ts'
import { asSluiceError } from '../../../shared/errors.ts'
import { groupBy } from '../../../shared/group-by.ts'
import type { PlannedCopy } from '../plan/plan-copy.ts'
import { planObjects, type PlannedObject } from './plan-objects.ts'

/** @param options kinds that the copy creates */
export async function planUnrequested(
  planned: PlannedCopy,
  options: readonly ObjectOptions[],
  signal: AbortSignal,
): Promise<readonly LeftBehind[]> {
  const others = OBJECT_OPTIONS.filter((option) => !options.includes(option))
  const plans = await planObjects(planned, others, signal, true).catch((thrown: unknown) => {
    const error = asSluiceError(thrown)
    // A copy that creates none of these objects works without the right to read them.
    if (error.retryable || error.kind === 'stopped' || error.code === 'INTERNAL') throw thrown
    return null
  })
  if (plans === null) return [dependencyOf('unread', ['indexes, constraints and defaults'])]
  const lacking = planned.tables.flatMap(({ source, plan }) => {
    const table = tableText(source.table)
    // The sequence of a column, which its default names, is reported by itself.
    const isNumber = ({ kind, name }: PlannedObject): boolean =>
      kind === 'default' && plan?.source.columns.find((column) => column.name === name)?.sequence !== undefined
    const objects = (plans.get(table) ?? []).filter((one) => one.status !== 'there' && !isNumber(one))
    return objects.map((object) => ({ table, object }))
  })
  const wanted = new Set(lacking.flatMap(({ object }) => (object.status === 'build' ? objectOptions(object) : [])))
  const words = OBJECT_OPTIONS.filter((option) => options.includes(option) || wanted.has(option))
  const means = `created only with --with ${words.length === OBJECT_OPTIONS.length ? 'all' : words.join(',')}`
  const kinds = groupBy(lacking, ({ table, object: { kind, status } }) => JSON.stringify([table, status, kind]))
  return [...kinds.values()].flatMap((some) => {
    const [first] = some
    if (first === undefined) return []
    const { table, object } = first
    const names = some.map((one) => one.object.name)
    return [dependencyOf(object.kind, names, table, object.status === 'build' ? means : undefined)]
  })
}
