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
export function zeroName(members: readonly string[]): string {
  let name = '0'
  while (members.includes(name)) name += '0'
  return name
}

/** Whether a type of MySQL is an enum or a set, by its name with all members. */
export function isMembered(native: string): boolean {
  return /^(?:enum|set)\(/i.test(native)
}

/** Whether a type of MySQL is an enum, by its name with all members. */
export function isEnum(native: string): boolean {
  return /^enum\(/i.test(native)
}
