/**
 * JSON with sorted fields: values that differ only in the order of fields have equal texts.
 * @param isAbsent true for values of fields that are left out; default: none
 * @returns '' for a value that JSON does not have
 */
export function sortedJson(value: unknown, isAbsent: (field: unknown) => boolean = () => false): string {
  return (
    JSON.stringify(value, (_key, part: unknown) => {
      if (typeof part !== 'object' || part === null || Array.isArray(part)) return part
      const fields = Object.entries(part).filter(([, field]) => !isAbsent(field))
      return Object.fromEntries(fields.toSorted(([a], [b]) => (a < b ? -1 : 1)))
    }) ?? ''
  )
}
