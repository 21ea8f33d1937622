/** Array literal of PostgreSQL: `{"a","b",NULL}`. It is in a separate file, because dialects must not load a driver. */
export function arrayText(values: readonly (string | null)[]): string {
  const items = values.map((value) => (value === null ? 'NULL' : `"${value.replaceAll(/["\\]/g, String.raw`\$&`)}"`))
  return `{${items.join(',')}}`
}
