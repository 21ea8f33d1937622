/** Constraints, unique indexes and foreign keys that only the target has: they may refuse rows later. */
import { tableText } from '../../../model/copy/column-type.ts'
import type { TablePlan } from '../../../model/copy/plan.ts'
import type { CopyStore } from '../../../model/copy/port.ts'
import { isPlainIndex, OBJECT_WORDS, signatureOf, type SchemaObject } from '../../../model/copy/schema-object.ts'
import type { SignOffCheck } from '../../../model/follow/sign-off.ts'
import { equalKeys, type TableObjects, type SplitPlans } from '../../copy/objects/plan-objects.ts'
import type { PlannedCopy } from '../../copy/plan/plan-copy.ts'

/** @param tables that are signed off @param listed, objects of all tables of the stream @returns one check per table */
export function surplusChecks(
  to: CopyStore,
  tables: PlannedCopy['tables'],
  listed: ReadonlyMap<string, TableObjects>,
  objects: SplitPlans,
): readonly SignOffCheck[] {
  const surplus = surplusObjects(to, listed, objects)
  return tables.map(({ source, targetName }): SignOffCheck => {
    const head = { check: 'only in the target', table: tableText(targetName) }
    const { certain = [], uncertain = [] } = surplus.get(tableText(source.table)) ?? {}
    const found = certain.map(surplusText).join(', ')
    const unknown = `${uncertain.map(surplusText).join(', ')} may stand for one of the source that is not translated`
    if (certain.length > 0) {
      const hint = 'they may refuse rows that the source takes: drop those that the programs of the target do not need'
      return { ...head, outcome: 'differs', found: uncertain.length === 0 ? found : `${found}; ${unknown}`, hint }
    }
    if (uncertain.length > 0) return { ...head, outcome: 'not checked', found: unknown }
    const none = 'no constraint, unique index or foreign key that the source does not have'
    return { ...head, outcome: 'ok', found: none }
  })
}

function surplusText(object: SchemaObject): string {
  const { kind, name, own } = object
  switch (object.kind) {
    case 'foreign key':
      return `foreign key ${name} (${object.from.join(', ')}) to ${tableText(object.to.table)}`
    case 'index':
    case 'unique': {
      const columns = object.parts.map(({ column }) => column ?? 'an expression').join(', ')
      const what = object.primary === true ? 'primary key' : kind === 'unique' ? OBJECT_WORDS[kind][0] : 'unique index'
      return `${what} ${name} (${columns})`
    }
    case 'check':
    case 'exclusion':
    case 'default':
      return `${OBJECT_WORDS[kind][0]} ${name}${own === '' ? '' : `: ${own}`}`
  }
}

/** @property uncertain of a kind of which the source has untranslated ones: the user may have created them for these */
type Surplus = { readonly certain: readonly SchemaObject[]; readonly uncertain: readonly SchemaObject[] }

/**
 * Constraints, unique indexes and foreign keys of the target that stand for none of the source, by the name of the
 * source's table: they may refuse rows that the source takes.
 */
function surplusObjects(
  to: CopyStore,
  listed: ReadonlyMap<string, TableObjects>,
  { requested, others }: SplitPlans,
): ReadonlyMap<string, Surplus> {
  const surplus = new Map<string, Surplus>()
  for (const [name, { plan, inSource: all, inTarget }] of listed) {
    const planned = [...(requested.get(name) ?? []), ...(others.get(name) ?? [])]
    const untranslated = planned.filter((one) => one.status === 'left' && one.unknown === true)
    const unknown = new Set(
      all
        .filter((one) => untranslated.some(({ kind, name: left }) => kind === one.kind && left === one.name))
        .map(ruleOf),
    )
    const known = planned.flatMap((one) => ('object' in one ? [signatureOf(one.object)] : []))
    const isKnown = (one: SchemaObject): boolean => known.some((other) => equalKeys(signatureOf(one), other, to))
    const isSurplus = (one: SchemaObject): boolean =>
      ruleOf(one) !== null && !isKnown(one) && !isImplied(one, all, plan)
    const own = inTarget.filter(isSurplus)
    const isCertain = (one: SchemaObject): boolean => !unknown.has(ruleOf(one))
    surplus.set(name, { certain: own.filter(isCertain), uncertain: own.filter((one) => !isCertain(one)) })
  }
  return surplus
}

/** What an object refuses rows by; null for objects that refuse none. */
function ruleOf(object: SchemaObject): 'unique' | SchemaObject['kind'] | null {
  if (object.kind === 'index' || object.kind === 'unique') return object.unique ? 'unique' : null
  return object.kind === 'default' ? null : object.kind
}

/** True if a unique key of the target has all columns of one of the source: it refuses no row that the source takes. */
function isImplied(
  object: SchemaObject,
  inSource: readonly SchemaObject[],
  { columns, checked = [], rangeKey, source }: TablePlan,
): boolean {
  if (object.kind !== 'index' && object.kind !== 'unique') return false
  const whole = object.parts.flatMap(({ column, prefix, special }) =>
    column === null || prefix !== undefined || special !== undefined ? [] : [column.toLowerCase()],
  )
  const isWithin = (names: readonly string[], nullsEqual: boolean | undefined): boolean =>
    (object.nullsEqual !== true || nullsEqual === true) && names.every((name) => whole.includes(name.toLowerCase()))
  const named = (name: string | null): string =>
    [...columns, ...checked].find(({ from }) => from === name)?.to ?? name ?? ''
  // The row key of a copy is unique: the source has a key on it, or the user has named it.
  if (rangeKey.length > 0 && isWithin(rangeKey, source.nullsEqual)) return true
  return inSource.some(
    (one) =>
      (one.kind === 'index' || one.kind === 'unique') &&
      one.unique &&
      isPlainIndex(one) &&
      isWithin(
        one.parts.map(({ column }) => named(column)),
        one.nullsEqual,
      ),
  )
}
