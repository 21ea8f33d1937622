/** Members of MySQL's enums and sets, and the text of the value with number 0. */

/** Members of an `enum('a','b')` or a `set`. The dictionary doubles quotes, and escapes some characters with `\`. */
export function membersOf(native: string): readonly string[] {
  const members: string[] = []
  for (const [, text = ''] of native.matchAll(/'((?:[^']|'')*)'/g)) {
    members.push(text.replaceAll("''", "'").replaceAll(/\\([\\0nrZ])/g, (_, sign: string) => SPELLED[sign] ?? sign))
  }
  return members
}

const SPELLED: Readonly<Record<string, string>> = { '\\': '\\', '0': '\0', n: '\n', r: '\r', Z: '\u001a' }

/**
 * The text for the number 0, which is the error value of an enum, or the empty set. It is the empty text, as the server
 * prints it. If the empty text is a member, it is the shortest run of zeros that is not a member.
 */
export function zeroText(members: readonly string[]): string {
  return members.includes('') ? zeroName(members) : ''
}

/** Digits that the server reads as number 0, because no member has this name. */
function zeroName(members: readonly string[]): string {
  let name = '0'
  while (members.includes(name)) name += '0'
  return name
}

/**
 * The number of a value of an enum or a set, from its text as a reader prints it: the position of a member, the bits of
 * a set, 0 for `zeroText`.
 * @returns null for a text that is not a value of the type
 */
export function memberNumber(native: string, text: string): bigint | null {
  const members = membersOf(native)
  if (text === zeroText(members)) return 0n
  if (isEnum(native)) return placeOf(members, text, (at) => BigInt(at + 1))
  let bits = 0n
  for (const one of text.split(',')) {
    const bit = placeOf(members, one, (at) => 1n << BigInt(at))
    if (bit === null) return null
    bits |= bit
  }
  return bits
}

function placeOf(members: readonly string[], member: string, number: (at: number) => bigint): bigint | null {
  const at = members.indexOf(member)
  return at === -1 ? null : number(at)
}

/** A member listed twice, which a server without strict mode allows: its text is ambiguous. Null if there is none. */
export function duplicateMember(native: string): string | null {
  const members = membersOf(native)
  return members.find((member, at) => members.indexOf(member) !== at) ?? null
}

/**
 * Explains why two members have the same text: the dictionary of the server has `?` for each character of four bytes,
 * such as an emoji. Null if no such character is the cause, or no member is listed twice.
 */
export function hiddenMembersText(native: string): string | null {
  if (!isMembered(native) || duplicateMember(native)?.includes('?') !== true) return null
  return `the dictionary of the server has ? for each emoji (character of four bytes), so that several members of ${native} have the same text there`
}

/** True if the declared type is an enum or a set. */
export function isMembered(native: string): boolean {
  return /^(?:enum|set)\(/i.test(native)
}

/** True if the declared type is an enum. */
export function isEnum(native: string): boolean {
  return /^enum\(/i.test(native)
}
