/** Checks that archived texts of user-defined types still mean the same values. */
import type { DeclaredSourceType, StoredColumn } from '../../model/archive/stored-column.ts'
import type { ColumnType } from '../../model/copy/column-type.ts'

/**
 * Text about archived values that the column's present type would read differently; null if there are none, or an older
 * program recorded no types. A type that was created again, or restored from a dump, is compared by the names of its
 * members or attributes.
 */
export function otherMeaning(then: Pick<StoredColumn, 'declared'>, now: Pick<StoredColumn, 'declared'>): string | null {
  for (const before of then.declared ?? []) {
    const same = now.declared?.find(({ identity }) => identity === before.identity)
    const after = same ?? now.declared?.find(({ name, kind }) => name === before.name && kind === before.kind)
    if (after === undefined) continue
    const known = { ...before, parts: before.parts.map((part) => ({ ...part, ...typeNow(part, then, now) })) }
    const found =
      before.kind === 'enum'
        ? otherMembers(before, after, same !== undefined)
        : otherPlaces(known, after, same !== undefined)
    if (found !== null) return found
  }
  return null
}

/**
 * Text about a member of an enum that has another name now; null if there is none. Archived rows are found and shown by
 * the earlier name. A restore does not need this: the server refuses the earlier name.
 */
export function renamedMember(
  then: Pick<StoredColumn, 'declared'>,
  now: Pick<StoredColumn, 'declared'>,
): string | null {
  for (const before of then.declared ?? []) {
    const after = now.declared?.find(({ identity, kind }) => identity === before.identity && kind === 'enum')
    for (const { number, name } of before.parts) {
      const called = after?.parts.find((part) => part.number === number)
      if (after !== undefined && called !== undefined && called.name !== name)
        return `'${name}' is called '${called.name}' in ${after.name} now`
    }
  }
  return null
}

/** The type under its present name: a type that was renamed, or whose schema was renamed, is the same. */
export function renamedType(
  type: ColumnType,
  then: Pick<StoredColumn, 'declared'>,
  now: readonly DeclaredSourceType[] | undefined,
): ColumnType {
  return type.kind === 'native' ? { ...type, name: renamed(type.name, then.declared, now) } : type
}

/** The type of an attribute, or the base type of a range or a domain, under its present name. */
function typeNow(
  { type }: DeclaredSourceType['parts'][number],
  then: Pick<StoredColumn, 'declared'>,
  now: Pick<StoredColumn, 'declared'>,
): { readonly type?: string } {
  return type === undefined ? {} : { type: renamed(type, then.declared, now.declared) }
}

/** @param name name of a type, or of an array of the type; it may end with a length */
function renamed(
  name: string,
  then: readonly DeclaredSourceType[] = [],
  now: readonly DeclaredSourceType[] = [],
): string {
  const [, element = '', rest = ''] = /^(.*?)((?:\([\d, -]+\))?(?:\[\])?)$/s.exec(name) ?? []
  const before = then.find((one) => one.name === element)
  const after = now.find(({ identity }) => identity === before?.identity)
  return after === undefined ? name : after.name + rest
}

/** Text about members that moved to other positions. Renamed members are ignored: the server refuses their old text. */
function otherMembers(before: DeclaredSourceType, after: DeclaredSourceType, isSame: boolean): string | null {
  if (isSame) {
    const other = before.parts.find(({ number, name }) => {
      const called = after.parts.find((part) => part.name === name)
      return called !== undefined && called.number !== number
    })
    return other === undefined ? null : `'${other.name}' is another member of ${after.name} now`
  }
  const names = (these: DeclaredSourceType, others: DeclaredSourceType): readonly string[] =>
    these.parts.map(({ name }) => name).filter((name) => others.parts.some((part) => part.name === name))
  return String(names(before, after)) === String(names(after, before))
    ? null
    : `the members of ${after.name} have another order now`
}

/**
 * Text about changed attributes. The text of a value lists its attributes by position. If the type was created again,
 * its attributes are compared by name.
 */
function otherPlaces(before: DeclaredSourceType, after: DeclaredSourceType, isSame: boolean): string | null {
  const list = ({ parts }: DeclaredSourceType): string =>
    JSON.stringify(parts.map(({ number, name, type }) => [isSame ? number : name, plainType(type)]))
  const named = ({ parts }: DeclaredSourceType): string =>
    parts.map(({ name, type }) => `${name} ${type}`.trim()).join(', ')
  if (list(before) === list(after)) return null
  const what = after.kind === 'composite' ? `the attributes of ${after.name}` : `the types below ${after.name}`
  return `${what} were (${named(before)}) and are (${named(after)}) now`
}

/** The type without its schema, which depends on the search_path, and without its length, which servers enforce. */
function plainType(type: string | undefined): string | undefined {
  return type?.replaceAll(/\([\d, -]+\)/g, '').replace(/^(?:"(?:[^"]|"")*"|\w+)\./, '')
}
