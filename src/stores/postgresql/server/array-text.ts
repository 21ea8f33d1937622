/** An array as PostgreSQL reads it: `{"a","b",NULL}`. It stands apart because dialects load no driver. */
export function arrayText(values: readonly (string | null)[]): string {
  const items = values.map((value) => (value === null ? 'NULL' : `"${value.replaceAll(/["\\]/g, String.raw`\$&`)}"`))
  return `{${items.join(',')}}`
}
