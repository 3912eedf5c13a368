import Paging

extension TDPMMU: AuditableMMU {}
