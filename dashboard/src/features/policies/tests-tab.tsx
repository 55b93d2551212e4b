/** The tests of a version as they came out when it was written, and the lines that none of them reached. */
import type { PolicyTests } from '@/api/policies'
import { Card, Chip, Empty } from '@/ui'
import { Table, Td, Tr } from '@/ui/table'

/** `data.tenant.nights_test.test_a_night_is_denied` without what every name begins with. */
const nameOf = (name: string) =>
  name
    .split('.')
    .at(-1)
    ?.replace(/^test_/, '')
    .replaceAll('_', ' ') ?? name

export function TestsTab({ tests: { tests, coverage } }: { tests: PolicyTests }) {
  if (!tests.length)
    return (
      <Empty title="No tests">
        A rule <code className="font-mono text-xs">test_…</code> in a file that ends in{' '}
        <code className="font-mono text-xs">_test.rego</code> is one. Without any, the version cannot be put in force.
      </Empty>
    )
  const order = [...tests].sort((a, b) => Number(a.passed) - Number(b.passed))
  return (
    <div className="flex flex-col gap-3 p-4">
      <Card title="Tests" level={3}>
        <Table label="Tests" head={['Result', 'Test', 'File']} acts={false}>
          {order.map(test => (
            <Tr key={`${test.file}${test.name}`}>
              <Td>
                <Chip tone={test.passed ? 'ok' : 'critical'}>{test.passed ? 'passed' : 'failed'}</Chip>
              </Td>
              <Td>
                <span title={test.name}>{nameOf(test.name)}</span>
                {test.why && <span className="block text-critical">{test.why}</span>}
              </Td>
              <Td className="font-mono text-fg-3">{test.file}</Td>
            </Tr>
          ))}
        </Table>
      </Card>
      {coverage.length > 0 && (
        <Card title="Lines that tests reach" level={3}>
          <Table label="Coverage" head={['File', 'Reached', 'Not reached']} acts={false}>
            {coverage.map(file => {
              const all = file.covered + file.not_covered.length
              return (
                <Tr key={file.file}>
                  <Td className="font-mono">{file.file}</Td>
                  <Td className="num">
                    {file.covered} of {all}
                  </Td>
                  <Td className="num text-fg-2">
                    {file.not_covered.length ? `lines ${file.not_covered.join(', ')}` : 'none'}
                  </Td>
                </Tr>
              )
            })}
          </Table>
        </Card>
      )}
    </div>
  )
}
