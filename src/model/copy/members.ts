/** Members of the enums and sets of MySQL, and the text of the value that has the number 0. */

/** Members of an `enum('a','b')` or a `set`. The dictionary doubles quotes, and spells a few characters with a backslash. */
export function membersOf(native: string): readonly string[] {
  const members: string[] = []
  for (const [, text = ''] of native.matchAll(/'((?:[^']|'')*)'/g)) {
    members.push(text.replaceAll("''", "'").replaceAll(/\\([\\0nrZ])/g, (_, sign: string) => SPELLED[sign] ?? sign))
  }
  return members
}

const SPELLED: Readonly<Record<string, string>> = { '\\': '\\', '0': '\0', n: '\n', r: '\r', Z: '\u001a' }

/**
 * The text of number 0: the error value of an enum, the empty set of a set. It is empty, as the server prints it, unless that is a member: then it is as many
 * zeros as no member is.
 */
export function zeroText(members: readonly string[]): string {
  return members.includes('') ? zeroName(members) : ''
}

/** Digits that the server takes for number 0, because no member is called so. */
function zeroName(members: readonly string[]): string {
  let name = '0'
  while (members.includes(name)) name += '0'
  return name
}

/**
 * The number of a value of an enum or a set, by its text as a reader spells it: the place of a member, the bits of a set, 0 for `zeroText`.
 * @returns null for a text that is no value of the type
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

/** A member that stands in the list twice, as a server without strict rules takes it: its text does not say which of the two a value is. Null without one. */
export function doubledMember(native: string): string | null {
  const members = membersOf(native)
  return members.find((member, at) => members.indexOf(member) !== at) ?? null
}

/** Whether a type of MySQL is an enum or a set, by its name with all members. */
export function isMembered(native: string): boolean {
  return /^(?:enum|set)\(/i.test(native)
}

/** Whether a type of MySQL is an enum, by its name with all members. */
export function isEnum(native: string): boolean {
  return /^enum\(/i.test(native)
}
