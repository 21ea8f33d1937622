/**
 * SQL: the text of a decimal with a digit before the point. For a type without digits before the point, DuckDB prints
 * 0.5 as `.50`, which is neither canonical nor JSON.
 * @param printed SQL of the text that DuckDB prints
 */
export function withWholeDigit(printed: string): string {
  return String.raw`regexp_replace(${printed}, '^(-?)\.', '\10.')`
}
