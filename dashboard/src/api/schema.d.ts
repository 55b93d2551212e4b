/**
 * The API's schemas. Replaced by `npm run api` from docs/openapi.json; everything else imports src/api/types.ts.
 */
export interface components {
  schemas: {
    Severity: 'informational' | 'low' | 'medium' | 'high' | 'critical'
    Risk: 'low' | 'medium' | 'high' | 'critical'
    Verdict: 'false_positive' | 'true_positive' | 'benign_positive' | 'duplicate'
    AlertStatus: 'new' | 'in_progress' | 'suppressed' | 'resolved'
    IncidentStatus: 'new' | 'in_progress' | 'on_hold' | 'resolved' | 'closed'
    PlanState: 'proposed' | 'approved' | 'executing' | 'executed' | 'rejected' | 'denied' | 'expired' | 'superseded'
    ActionState:
      | 'planned'
      | 'running'
      | 'settling'
      | 'verified'
      | 'unverified'
      | 'failed'
      | 'skipped'
      | 'aborted'
      | 'drifted'
      | 'expired'
      | 'undoing'
      | 'undone'
      | 'undo_failed'
    EntityKind: 'ip' | 'host' | 'user' | 'process' | 'file' | 'domain' | 'url' | 'hash'
    Entity: { kind: components['schemas']['EntityKind']; value: string }
    Attack: { tactics: string[]; techniques: string[] }
    RiskTerm: { name: string; points: number; why: string }
    Alert: {
      id: string
      rule_id: string
      rule_title: string
      rule_version: string
      severity: components['schemas']['Severity']
      status: components['schemas']['AlertStatus']
      verdict?: components['schemas']['Verdict'] | null
      verdict_reason?: string | null
      fingerprint: string
      window_start: string
      first_seen: string
      last_seen: string
      count: number
      entities: components['schemas']['Entity'][]
      attack: components['schemas']['Attack']
      event_ids: string[]
      incident_id?: string | null
      assignee?: string | null
      risk_score: number
      risk_terms: components['schemas']['RiskTerm'][]
      demo: boolean
      created_at: string
      updated_at: string
      version: number
    }
    AlertDetail: components['schemas']['Alert'] & {
      rule?: {
        level: string
        description?: string | null
        references?: string[]
        falsepositives?: string[]
      } | null
      matches?: { event_id: string; fields: components['schemas']['FieldValue'][] }[]
      similar_count?: number
    }
    FieldValue: { field: string; value: unknown }
    Incident: {
      id: string
      title: string
      severity: components['schemas']['Severity']
      status: components['schemas']['IncidentStatus']
      verdict?: components['schemas']['Verdict'] | null
      verdict_reason?: string | null
      risk_score: number
      risk_terms: components['schemas']['RiskTerm'][]
      alert_count: number
      event_count: number
      entities: components['schemas']['Entity'][]
      attack: components['schemas']['Attack']
      first_seen: string
      last_seen: string
      assignee?: string | null
      merged_into?: string | null
      revision: number
      demo: boolean
      created_at: string
      updated_at: string
      version: number
      phase?: 'detected' | 'investigated' | 'contained' | 'resolved'
      notes_count?: number
      plans_count?: number
    }
    Note: { id: string; author: string; created_at: string; text: string }
    Investigation: {
      revision: number
      summary: string
      timeline: components['schemas']['TimelineEntry'][]
      attack_path: components['schemas']['Stage'][]
      graph: { nodes: components['schemas']['GraphNode'][]; edges: components['schemas']['GraphEdge'][] }
      process_tree: components['schemas']['TreeNode'][]
      hypotheses: components['schemas']['Hypothesis'][]
      not_checked: { what: string; why: string }[]
      proposed_plans: {
        title: string
        why: string
        confidence: number
        actions: { capability: string; target: components['schemas']['TargetRef']; params: unknown }[]
      }[]
      steps: { name: string; found: string }[]
    }
    TimelineEntry: {
      time: string
      event_id: string
      title: string
      entity?: components['schemas']['Entity'] | null
      severity?: components['schemas']['Severity'] | null
      tactic?: string | null
      technique?: string | null
      count: number
    }
    Stage: {
      tactic: string
      title: string
      first_seen: string
      last_seen: string
      techniques: string[]
      event_ids: string[]
    }
    GraphNode: {
      id: string
      entity: components['schemas']['Entity']
      tactic?: string | null
      severity?: components['schemas']['Severity'] | null
      role: string
      event_count: number
    }
    GraphEdge: { from: string; to: string; label: string; hot: boolean; event_ids: string[] }
    TreeNode: {
      depth: number
      time: string
      label: string
      detail: string
      event_id: string
      severity?: components['schemas']['Severity'] | null
    }
    Hypothesis: {
      title: string
      confidence: number
      evidence: { event_id: string; supports: boolean; why: string }[]
    }
    TargetRef: { kind: string; name: string }
    DiffLine: { path: string; before?: string | null; after?: string | null }
    Proof: { moment: string; at: string; result: string; detail: string }
    Action: {
      id: string
      plan_id: string
      capability: string
      target_id: string
      target: components['schemas']['TargetRef']
      simulated: boolean
      demo: boolean
      params: unknown
      state: components['schemas']['ActionState']
      from: unknown
      to: unknown
      diff: components['schemas']['DiffLine'][]
      changed: boolean
      undo: string
      class: string
      detail?: string | null
      owners: { action_id: string; expires_at?: string | null }[]
      proofs: components['schemas']['Proof'][]
      expires_at?: string | null
      applied_at?: string | null
      verified_at?: string | null
      updated_at: string
      version: number
      journal?: { at: string; step: string; detail?: unknown }[]
    }
    Decision: {
      allow: boolean
      denies: { code: string; detail: string }[]
      approvals_needed: number
      risk: components['schemas']['Risk']
      risk_terms: components['schemas']['RiskTerm'][]
      input_hash: string
      policy_hash: string
    }
    Plan: {
      id: string
      hash: string
      state: components['schemas']['PlanState']
      title: string
      why: string
      risk: components['schemas']['Risk']
      simulated: boolean
      demo: boolean
      incident_id?: string | null
      requester: string
      requester_addr?: string | null
      actions: components['schemas']['Action'][]
      decision: components['schemas']['Decision']
      approvals: {
        id: string
        user: string
        user_name: string
        at: string
        client_addr?: string | null
        plan_hash: string
      }[]
      rejected_reason?: string | null
      undo_of?: string | null
      not_checkable: string[]
      created_at: string
      expires_at: string
      updated_at: string
      version: number
      can_approve?: boolean
      cannot_approve_why?: string | null
      approvers?: string[]
    }
    EventView: {
      id: string
      time: string
      ingested_at: string
      source: string
      format: string
      time_quality: 'good' | 'missing' | 'future' | 'old'
      demo: boolean
      raw: string
      raw_base64?: string | null
      log_source: { product?: string | null; categories?: string[]; service?: string | null }
      fields: unknown
      ocsf: unknown
      entities: components['schemas']['Entity'][]
      alerts: string[]
    }
    Target: {
      id: string
      kind: string
      name: string
      host?: string | null
      environment: 'development' | 'staging' | 'production'
      criticality: 'low' | 'medium' | 'high'
      labels: Record<string, string>
      owner?: string | null
      simulated: boolean
      protected: boolean
      demo: boolean
      created_at: string
      version: number
    }
    IngestStats: {
      accepted: number
      stored: number
      processed: number
      rejected: number
      dead_letters: number
      lag_events: number
      sources?: {
        source: string
        events: number
        last_event_at?: string | null
        last_ingested_at?: string | null
        skew_ms?: number | null
      }[]
      bytes?: number
      segments?: number
      halted?: boolean | string | null
    }
    DeadLetter: {
      id: string
      at: string
      source?: string | null
      stage: string
      code: string
      detail: string
      sample?: string | null
      size: number
    }
    Diagnostic: {
      severity: string
      code: string
      line?: number | null
      column?: number | null
      message: string
      fix?: string | null
    }
    Rule: {
      id: string
      title: string
      level: string
      status?: string | null
      log_source: { product?: string | null; category?: string | null; categories?: string[]; service?: string | null }
      tags: string[]
      attack: components['schemas']['Attack']
      origin: string
      file: string
      version: string
      tests: { match: number; miss: number }
      alert_count: number
      last_fired?: string | null
      diagnostics: components['schemas']['Diagnostic'][]
      source?: string
      description?: string | null
      references?: string[]
      falsepositives?: string[]
      samples?: { match: unknown[]; miss: unknown[] }
    }
    RuleTest: {
      results: {
        event: unknown
        expected?: 'match' | 'miss' | null
        matched: boolean
        ok?: boolean | null
        fields: components['schemas']['FieldValue'][]
      }[]
      passed: number
      failed: number
    }
    Capability: {
      name: string
      title: string
      target_kind: string
      class: string
      purpose: string
      base_risk: string
      docs?: string | null
    }
    Automation: { halted: boolean; by?: string | null; at?: string | null; reason?: string | null }
    Token: {
      id: string
      kind: 'personal' | 'ingest'
      name: string
      created_at: string
      last_used_at?: string | null
      revoked_at?: string | null
      token?: string
    }
    User: { id: string; name: string; role: 'admin' | 'analyst' | 'viewer'; created_at?: string; disabled?: boolean }
    LedgerEntry: {
      seq: number
      id: string
      time: string
      kind: string
      subjects: string[]
      actor: string
      hash: string
      payload: unknown
    }
    LedgerVerify: {
      ok: boolean
      entries: number
      head?: { size: number; root: string } | null
      checkpoint_size?: number | null
      uncovered_events?: number | null
      first_bad?: { seq: number; why: string } | null
      checked_at: string
    }
    Me: {
      user: { id: string; name: string; role: string }
      tenant: { id: string; name: string; slug: string; demo: boolean }
      csrf: string
      permissions: string[]
      version: string
      session_expires_at?: string | null
    }
    Overview: {
      generated_at: string
      from: string
      to: string
      demo: boolean
      alerts: { open: number; total: number; by_severity: Record<string, number> }
      incidents: { open: number; total: number; items: components['schemas']['Incident'][] }
      plans: { waiting: components['schemas']['Plan'][]; waiting_count: number }
      actions: { live: number; drifted: number; undone: number }
      events: { stored: number; per_minute: { at: string; count: number }[] }
      alert_series: {
        at: string
        critical: number
        high: number
        medium: number
        low: number
        informational: number
      }[]
      funnel: { events: number; matches: number; alerts: number; incidents: number }
      activity: components['schemas']['LedgerEntry'][]
      automation: components['schemas']['Automation']
      ingest: components['schemas']['IngestStats']
      verdicts: { true_positive: number; false_positive: number; benign_positive: number; duplicate: number }
    }
    Problem: {
      type?: string
      title: string
      status: number
      code?: string
      detail?: string
      request_id?: string
      errors?: { field?: string; detail?: string }[]
    }
  }
}
