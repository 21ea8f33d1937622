/** Array literal of PostgreSQL: `{"a","b",NULL}`. A separate file, because dialects load no driver. */
export function arrayText(values: readonly (string | null)[]): string {
  const items = values.map((value) => (value === null ? 'NULL' : `"${value.replaceAll(/["\\]/g, String.raw`\$&`)}"`))
  return `{${items.join(',')}}`
}
