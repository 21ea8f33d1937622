/** Checks partition values of a file against the partition columns of its table. */
import { typeText, type Field, type StructType } from '../schema.ts'
import { isKernelText, isPartitionText } from '../values/typed.ts'
import type { Finding } from './finding.ts'

type Values = Readonly<Record<string, string | null>>

/**
 * Returns a check that a file has a value for each partition column, and that readers can convert it to the column's
 * type.
 * @param partitionColumns logical names
 */
export function partitionCheck(
  schema: StructType,
  partitionColumns: readonly string[],
): (path: string, values: Values) => readonly Finding[] {
  const columns = schema.fields.filter(({ name }) => partitionColumns.includes(name))
  const known = new Set(columns.map(({ physicalName }) => physicalName))
  return (path, values) => {
    const findings = columns.flatMap((column) => valueFindings(path, column, values))
    for (const column of Object.keys(values)) {
      if (known.has(column)) continue
      const detail = `it has a partition value of ${column}, which is not a partition column`
      findings.push({ level: 'finding', kind: 'partition-values', path, column, detail })
    }
    return findings
  }
}

function valueFindings(path: string, { physicalName: column, type, nullable }: Field, values: Values): Finding[] {
  const wrong = { kind: 'partition-values', path, column } as const
  const text = Object.hasOwn(values, column) ? values[column] : undefined
  if (text === undefined) return [{ ...wrong, level: 'finding', detail: `it has no partition value of ${column}` }]
  const log = JSON.stringify(text)
  if (text === null || text === '') {
    if (nullable) return []
    const detail = `its partition value of ${column} is ${log}, which readers treat as NULL, but ${column} is NOT NULL`
    return [{ ...wrong, level: 'note', log, detail }]
  }
  const found = typeText(type)
  if (isPartitionText(text, type)) {
    if (isKernelText(text, type)) return []
    const detail = `its partition value of ${column} is ${log}: sluice reads it as ${found}; deltalake, polars and others on delta-kernel cannot, and refuse the table`
    return [{ path, column, level: 'note', kind: 'partition-spelling', log, found, detail }]
  }
  return [
    {
      ...wrong,
      level: 'finding',
      log,
      found,
      detail: `its partition value of ${column} is ${log}, not a valid ${found}`,
    },
  ]
}
