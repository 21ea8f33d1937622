/**
 * Checks of a sign-off besides rows: settings of the target, definitions of columns, objects that --with can create,
 * constraints that only the target has, and foreign keys.
 */
import { tableText, type Column, type TableName } from '../../../model/copy/column-type.ts'
import type { TablePlan } from '../../../model/copy/plan.ts'
import type { CopyStore } from '../../../model/copy/port.ts'
import type { SourceView } from '../../../model/copy/source-port.ts'
import { givenFields } from '../../../shared/given-fields.ts'
import { nextNumbersVerdict, type SignOffCheck } from '../../../model/follow/sign-off.ts'
import type { OperationalTable } from '../../../model/follow/operational-port.ts'
import { requiredNext } from '../../../model/copy/sequence.ts'
import {
  listObjects,
  planListed,
  withoutFiringKeys,
  type PlannedObject,
  type SplitPlans,
} from '../../copy/objects/plan-objects.ts'
import type { CopyOperation } from '../../copy/operations/copy/declaration.ts'
import { isCopiedAsValue } from '../../copy/plan/generated-columns.ts'
import { newColumn } from '../../copy/plan/new-table.ts'
import type { TableOptions } from '../../copy/plan/table-options.ts'
import { withKey } from '../../copy/plan/table-plan.ts'
import { isNarrower, type SizedColumn } from '../../copy/plan/pair-types.ts'
import type { PlannedCopy, PlannedTable } from '../../copy/plan/plan-copy.ts'
import { onSide } from '../../copy/sides.ts'
import { sameFamily } from '../../run/systems.ts'
import { checksKeys } from '../stream/preflight.ts'
import { keyChecks } from '../stream/unchecked-keys.ts'
import { surplusChecks } from './surplus.ts'

/**
 * @property tables that are signed off; their foreign keys may lead to any table of `planned`
 * @property copy operation with which the stream began
 * @property hasCutover true if the stream can end with a cutover
 */
type Checked = {
  readonly planned: PlannedCopy
  readonly tables: PlannedCopy['tables']
  readonly copy: CopyOperation
  readonly hasCutover: boolean
}

/** @returns all checks, grouped by table @throws what the systems throw */
export async function signOffChecks(
  { planned, tables, copy, hasCutover }: Checked,
  signal: AbortSignal,
): Promise<readonly SignOffCheck[]> {
  const { from, to } = planned
  const isSwitched = hasCutover && from.offers.switchSide !== undefined && to.offers.switchSide !== undefined
  const ofTarget = await targetChecks(to, tables, signal)
  const listed = await listObjects(planned, true, signal)
  const objects = await planListed(planned, listed, copy.with ?? [], signal)
  const checks = [
    ...(isSwitched ? ofTarget.map((check) => withCutoverNote(check, from.identity === to.identity)) : ofTarget),
    ...tables.map((table) => columnCheck(table, planned)),
    ...(await objectChecks(planned, tables, copy, objects, signal)),
    ...surplusChecks(to, tables, listed, objects),
    ...(await keyChecks(to, targetsOf(tables), targetsOf(planned.tables), signal)),
  ]
  const order = [...new Set(checks.map(({ table = '' }) => table))]
  return checks.toSorted((a, b) => order.indexOf(a.table ?? '') - order.indexOf(b.table ?? ''))
}

function targetsOf(tables: PlannedCopy['tables']): readonly TableName[] {
  return tables.flatMap(({ plan }) => (plan === null ? [] : [plan.target.table]))
}

async function targetChecks(
  to: CopyStore,
  tables: PlannedCopy['tables'],
  signal: AbortSignal,
): Promise<readonly SignOffCheck[]> {
  const preflight = to.offers.operational
  const specs = tables.flatMap(({ plan }) => {
    if (plan === null) return []
    const sequences = plan.columns.flatMap(({ to: column, source: { sequence } }) =>
      sequence === undefined ? [] : [{ ...sequence, column }],
    )
    return [{ spec: plan.target, sequences }]
  })
  if (preflight !== undefined) return await onSide('target', () => preflight.check(specs, signal))
  const found = `they are not checked in ${to.system}`
  const unchecked = specs.map(({ spec: { table } }): SignOffCheck => {
    return { check: 'writes, pruning, indexes, constraints', table: tableText(table), outcome: 'not checked', found }
  })
  return [...unchecked, ...(await onSide('target', () => numberChecks(to, specs, signal)))]
}

async function numberChecks(
  to: CopyStore,
  tables: readonly OperationalTable[],
  signal: AbortSignal,
): Promise<readonly SignOffCheck[]> {
  await using view = await to.source(signal)
  const checks: SignOffCheck[] = []
  for (const table of tables) checks.push(await numberCheck(table, to, view, signal))
  return checks
}

/** Compares the next number of each numbered column with its furthest value, and with the source's next number. */
async function numberCheck(
  { spec, sequences }: OperationalTable,
  to: CopyStore,
  view: SourceView,
  signal: AbortSignal,
): Promise<SignOffCheck> {
  const head = { check: 'sequences', table: tableText(spec.table) }
  const numbered = await to.dependencies().sequences(spec, signal)
  if (numbered.length === 0) return { ...head, outcome: 'not checked', found: 'no column is numbered by a sequence' }
  const [ahead, behind, settings]: [string[], string[], string[]] = [[], [], []]
  for (const { column, next, options: { increment } = { increment: 1n } } of numbered) {
    const { low, high } = await view.extent(withKey(spec, [column]), null, false)
    const last = increment < 0n ? low : high
    if (next === null || (last !== null && !/^-?\d+$/.test(last)))
      return { ...head, outcome: 'not checked', found: `the next number of ${column} cannot be compared` }
    const source = sequences.find((one) => one.column === column)?.next ?? null
    const text = `${column} continues with ${next}, ${last === null ? 'has no value' : `ends at ${last}`}${source === null ? '' : `, and the source continues with ${source}`}`
    const { goal } = requiredNext({ next, last: last === null ? null : BigInt(last), source, increment })
    if (goal === next) ahead.push(text)
    else {
      behind.push(text)
      settings.push(`set the next number of ${column} to ${goal}`)
    }
  }
  return { ...head, ...nextNumbersVerdict(ahead.join('; '), behind.join('; '), `, then ${settings.join(', ')}`) }
}

/**
 * A cutover advances sequences beyond the values in both tables. Until then the new table's sequences are behind the
 * source.
 */
function withCutoverNote(check: SignOffCheck, isOneDatabase: boolean): SignOffCheck {
  if (check.check !== 'sequences' || check.outcome !== 'failed') return check
  const { hint, ...rest } = check
  return {
    ...rest,
    outcome: 'not checked',
    found: `${check.found}; a cutover advances the sequences beyond both tables`,
    // Keep the hint between two databases: users may be moved to the other database without a cutover.
    ...(hint === undefined || isOneDatabase ? {} : { hint }),
  }
}

/**
 * Checks for objects that --with can create. A requested object must exist, unless the stream omits it, or the target
 * cannot be searched for it.
 */
async function objectChecks(
  planned: PlannedCopy,
  tables: PlannedCopy['tables'],
  operation: CopyOperation,
  { requested, others }: SplitPlans,
  signal: AbortSignal,
): Promise<readonly SignOffCheck[]> {
  const asked = await withoutFiringKeys(planned, requested, () => checksKeys(operation, planned.to, signal))
  return tables.map(({ source, targetName }): SignOffCheck => {
    const name = tableText(source.table)
    const head = { check: 'made by --with', table: tableText(targetName) }
    const lacks = ({ status, widenedBy }: PlannedObject): boolean => status !== 'there' && widenedBy === undefined
    const listed = (some: readonly PlannedObject[]): string =>
      some.map(({ kind, name: one }) => `${kind} ${one}`).join(', ')
    const reasoned = (some: readonly PlannedObject[]): string =>
      some.map((one) => `${listed([one])}${whyLacking(one)}`).join(', ')
    const wanted = asked.get(name) ?? []
    const later = wanted.filter((one) => one.status === 'left' && one.later !== undefined)
    const unknown = wanted.filter((one) => one.status === 'left' && one.unknown === true)
    const missing = wanted.filter((one) => lacks(one) && !later.includes(one) && !unknown.includes(one))
    const unasked = (others.get(name) ?? []).filter(lacks)
    const objects = [...wanted, ...(others.get(name) ?? [])]
    const widened = objects.flatMap(({ kind, name: one, widenedBy }) =>
      widenedBy === undefined ? [] : [`, ${kind} ${one} with ${widenedBy.join(', ')} in it`],
    )
    if (missing.length > 0) {
      return {
        ...head,
        outcome: 'failed',
        found: `not in the target: ${reasoned(missing)}`,
        hint: missing.some((one) => one.status === 'build' && one.replaces === undefined)
          ? 'run sluice follow STREAM: it creates what is missing, or reports why it cannot'
          : missing.every((one) => one.status === 'build')
            ? 'sluice leaves defaults that were changed in the target: set those of the source by hand'
            : 'create them in the target by hand',
      }
    }
    if (later.length + unknown.length + unasked.length === 0) {
      const there = `all ${objects.length} of the source exist in the target`
      return { ...head, outcome: 'ok', found: `${there}${widened.join('')}` }
    }
    const found = [
      ...(later.length === 0 ? [] : [`the stream leaves out ${listed(later)}: its changes would fire them`]),
      ...(unknown.length === 0 ? [] : [`the target cannot be searched for ${reasoned(unknown)}`]),
      ...(unasked.length === 0 ? [] : [`the options do not include ${listed(unasked)}`]),
    ]
    const hint = unknown.length === 0 ? {} : { hint: 'create in the target by hand what its programs need of it' }
    return { ...head, outcome: 'not checked', found: found.join('; '), ...hint }
  })
}

/** Compares NOT NULL and types of the target's columns with those that a copy would create. */
function columnCheck({ plan, targetName, options }: PlannedTable, { from, to }: PlannedCopy): SignOffCheck {
  const head = { check: 'columns', table: tableText(targetName) }
  if (plan === null) return { ...head, outcome: 'not checked', found: 'the table cannot be planned' }
  const sameSystem = sameFamily(from.system, to.system)
  const sized = (column: Column, { can: { lengths } }: CopyStore): SizedColumn => ({
    ...column,
    ...givenFields({ lengths }),
  })
  const [lost, narrower, only]: [string[], string[], string[]] = [[], [], []]
  for (const { source, target } of [...plan.columns, ...(plan.checked ?? [])]) {
    const made = newColumn(source, plan.source, options, to, sameSystem)
    if (!source.nullable && target.nullable) lost.push(target.name)
    if (made.nullable && !target.nullable) only.push(target.name)
    // Between two systems, the type that a copy creates may be narrower than the source's for a reason of the system.
    const isOfCopy = made.native === target.native || !isNarrower(sized(made, to), sized(target, to))
    if (!isOfCopy && isNarrower(sized(source, from), sized(target, to)))
      narrower.push(
        `${target.name} (${target.native} for ${source.native}${sameSystem ? '' : `, which a copy makes ${made.native}`})`,
      )
  }
  const unwritten = unwrittenColumns(plan, options)
  if (unwritten.length > 0) {
    const found = `the source computes ${unwritten.join(', ')}, and neither the stream nor the target does: values may be stale or missing`
    const hint = 'let the target compute them as the source does, or end the stream and copy the table again'
    return { ...head, outcome: 'differs', found, hint }
  }
  const found = [
    ...(lost.length === 0 ? [] : [`NOT NULL only in the source: ${lost.join(', ')}`]),
    ...(only.length === 0 ? [] : [`NOT NULL only in the target: ${only.join(', ')}`]),
    ...(narrower.length === 0 ? [] : [`narrower than in the source: ${narrower.join(', ')}`]),
  ]
  if (found.length === 0) return { ...head, outcome: 'ok', found: 'NOT NULL as in the source, and no narrower type' }
  const hint = 'alter the columns of the target before programs write to it, unless they differ on purpose'
  return { ...head, outcome: 'differs', found: found.join('; '), hint }
}

/** Columns that the source computes and the target stores, and that the plan of the stream does not write. */
function unwrittenColumns(
  { source, target, columns }: TablePlan,
  { rename, columns: chosen }: TableOptions,
): readonly string[] {
  const wanted = source.columns.filter(({ name, generated }) => generated === true && chosen?.includes(name) !== false)
  const unwritten = wanted.filter(
    (one) => isCopiedAsValue(one, target, { rename }) && !columns.some(({ from }) => from === one.name),
  )
  return unwritten.map(({ name }) => name)
}

/** Why the object is not in the target, in brackets; empty if a stream creates it. */
function whyLacking(one: PlannedObject): string {
  if (one.status === 'left') return ` (${one.reason})`
  return one.status === 'build' && one.replaces !== undefined ? ` (the target has ${one.replaces})` : ''
}
